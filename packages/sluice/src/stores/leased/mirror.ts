import { Answer, emptyState, type LeaseTerms, Mode, type Verdict } from "../../algorithms/algorithm.ts";
import type { Clock } from "../../limiter/clock.ts";

/**
 * Charges of the store end here before they end there, by more than clocks drift apart and by more than a
 * granule, in which charges end together: so the store is never suspected for what it rightly forgot.
 */
const FASTER = 1.006;

/** A clock that runs ahead: every span of it is longer than that of any store, suspends included. */
export function fasterThan(clock: Clock): () => number {
  let elapsed = clock.elapsed();
  let wall = clock.wall();
  let time = 1;
  return () => {
    const passed = Math.max(0, clock.elapsed() - elapsed, clock.wall() - wall);
    elapsed = clock.elapsed();
    wall = clock.wall();
    time += Math.ceil(passed * FASTER);
    return time;
  };
}

const answer = new Answer();

/**
 * What this process alone has taken from the store for one key and not handed back.
 *
 * When the store says that less is used than that, it has lost what it knew: it was flushed, restored
 * from a snapshot, failed over without its last writes, or it evicted the key.
 */
export class Mirror {
  readonly #terms: LeaseTerms;
  #state: number[] | undefined;
  /** Of a window: its units, its receipt, and when it ends at the latest that is sure. */
  #units = 0;
  #window = 0;
  #end = 0;
  /** Grows with every change that is not the passing of time. */
  changes = 0;

  constructor(terms: LeaseTerms) {
    this.#terms = terms;
  }

  /** Units that the store has to know about at least. */
  units(time: number): number {
    const { algorithm, endsWithWindow } = this.#terms;
    if (endsWithWindow) return time < this.#end ? this.#units : 0;
    if (this.#state === undefined) return 0;
    algorithm.apply(this.#state, 0, time, 0, Mode.peek, 0, answer);
    return algorithm.capacity - answer.remaining;
  }

  add(units: number, time: number, { receipt, resetAfter }: Pick<Verdict, "receipt" | "resetAfter">): void {
    this.changes++;
    const { algorithm, endsWithWindow } = this.#terms;
    if (!endsWithWindow) {
      this.#state ??= emptyState(algorithm);
      algorithm.apply(this.#state, 0, time, units, Mode.force, 0, answer);
      return;
    }
    if (receipt !== this.#window || time >= this.#end) this.#units = 0;
    this.#window = receipt;
    this.#units += units;
    this.#end = Math.max(this.#end, time + Math.floor(resetAfter / FASTER));
  }

  /** Before units are handed back to the store: it may forget them from now on. */
  takeOff(units: number, time: number): void {
    this.changes++;
    if (this.#state !== undefined) this.#terms.algorithm.apply(this.#state, 0, time, -units, Mode.force, 0, answer);
    this.#units = Math.max(0, this.#units - units);
  }

  clear(): void {
    this.changes++;
    this.#state = undefined;
    this.#units = 0;
    this.#end = 0;
  }

  /**
   * Whether the store's answer leaves out units that this process has taken.
   *
   * @param known what `units` said when the store was asked, and what it says now, whichever is less
   * @param granted units of this answer
   */
  isContradicted(known: number, granted: number, { remaining, receipt }: Verdict): boolean {
    const { algorithm, endsWithWindow } = this.#terms;
    if (known === 0) return false;
    if (endsWithWindow && receipt !== this.#window) return algorithm.clock === "elapsed";
    return algorithm.capacity - remaining < Math.min(algorithm.capacity, known + granted);
  }
}
