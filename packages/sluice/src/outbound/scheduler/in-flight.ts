/**
 * Units of calls that have started, until so long after their end: at most `capacity` at once. With no time after the end
 * it limits calls at once; with the period of a window it keeps that window as the server sees it, because a call
 * arrives there between its start and its end, and its units are used again a period after the end at the soonest.
 */
export class InFlight {
  readonly #capacity: number;
  readonly #linger: number;
  #running = 0;
  /** Calls that have ended: `[until, units, …]`, oldest first, from `#head` on. */
  #ended: number[] = [];
  #head = 0;
  #lingering = 0;

  constructor(capacity: number, lingerUs: number) {
    this.#capacity = capacity;
    this.#linger = lingerUs;
  }

  /** How long until `units` can start: 0 now, Infinity when that depends on calls that are running. */
  wait(units: number, now: number): number {
    this.#forget(now);
    let excess = this.#running + this.#lingering + units - this.#capacity;
    for (let i = this.#head; excess > 0; i += 2) {
      if (i >= this.#ended.length) return Infinity;
      excess -= this.#ended[i + 1]!;
      if (excess <= 0) return this.#ended[i]! - now;
    }
    return 0;
  }

  /** How long until the last of `units` can start at the soonest, if all start as early as they can, and end at once. */
  soonest(units: number, now: number): number {
    const rounds = Math.floor(Math.max(0, units - 1) / this.#capacity);
    const wait = this.wait(units - rounds * this.#capacity, now);
    return Math.min(wait, this.#linger) + rounds * this.#linger;
  }

  start(units: number): void {
    this.#running += units;
  }

  /** A call that runs takes so many more units, or fewer. */
  correct(units: number): void {
    this.#running += units;
  }

  /** The call was not made after all. */
  undo(units: number): void {
    this.#running -= units;
  }

  end(units: number, now: number): void {
    this.#running -= units;
    if (this.#linger === 0) return;
    this.#ended.push(now + this.#linger, units);
    this.#lingering += units;
  }

  /** Nothing runs, and nothing lingers. */
  isIdle(now: number): boolean {
    this.#forget(now);
    return this.#running === 0 && this.#lingering === 0;
  }

  #forget(now: number): void {
    while (this.#head < this.#ended.length && this.#ended[this.#head]! <= now) {
      this.#lingering -= this.#ended[this.#head + 1]!;
      this.#head += 2;
    }
    if (this.#head > 64 && this.#head * 2 > this.#ended.length) {
      this.#ended = this.#ended.slice(this.#head);
      this.#head = 0;
    }
  }
}
