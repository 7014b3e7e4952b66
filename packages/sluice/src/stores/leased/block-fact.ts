import { isWithin, type Moment } from "./moment.ts";

/** What the store says while it is relied on, and a block at most: in microseconds. */
const LONGEST = 1_000_000;

/** Whether a key is blocked, as the store said last: not blocked is good for a lease. */
export class BlockFact {
  #asked: Moment | undefined;
  #blockedUntil = 0;
  #refusedUntil = 0;
  /** Grows with every change: an answer that was under way meanwhile is not news. */
  changes = 0;

  isFree(now: Moment, life: number): boolean {
    return this.#asked !== undefined && isWithin(life, this.#asked, now) && now.elapsed >= this.#blockedUntil;
  }

  /** Until when the key is blocked, if that is known without asking. */
  blockedUntil(now: number): number | undefined {
    return now < this.#refusedUntil ? this.#blockedUntil : undefined;
  }

  /** @param asked when the store was asked */
  free(asked: Moment): void {
    this.changes++;
    this.#asked = asked;
    this.#blockedUntil = 0;
    this.#refusedUntil = 0;
  }

  block(now: number, forTime: number): void {
    this.changes++;
    this.#asked = undefined;
    this.#blockedUntil = Math.max(this.#blockedUntil, now + forTime);
    this.#refusedUntil = Math.min(this.#blockedUntil, now + LONGEST);
  }

  /** Nothing is known any more. */
  forget(): void {
    this.changes++;
    this.#asked = undefined;
    this.#blockedUntil = 0;
    this.#refusedUntil = 0;
  }

  /** Whether nothing is known that a new fact would not know. */
  isIdle(now: Moment, life: number): boolean {
    return now.elapsed >= this.#blockedUntil && !this.isFree(now, life);
  }
}
