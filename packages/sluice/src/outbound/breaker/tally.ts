import { RollingCount } from "./rolling-count.ts";

/** Where outcomes are counted. All numbers are plain: every call that ends comes by here. */
export interface Tally {
  add(successes: number, failures: number, slow: number, nowMs: number): void;
  calls(nowMs: number): number;
  failures(nowMs: number): number;
  slow(nowMs: number): number;
}

/** A tally that keeps everything. */
export class LastingTally implements Tally {
  #calls = 0;
  #failures = 0;
  #slow = 0;

  add(successes: number, failures: number, slow: number): void {
    this.#calls += successes + failures;
    this.#failures += failures;
    this.#slow += slow;
  }

  calls(): number {
    return this.#calls;
  }

  failures(): number {
    return this.#failures;
  }

  slow(): number {
    return this.#slow;
  }
}

/** The window moves on in tenths of its length. */
const BUCKETS = 10;

/** A tally of the newest outcomes: of the last nine to ten tenths of the window. */
export class RollingTally implements Tally {
  readonly #calls: RollingCount;
  readonly #failures: RollingCount;
  readonly #slow: RollingCount;

  constructor(windowMs: number) {
    this.#calls = new RollingCount(windowMs / BUCKETS, BUCKETS);
    this.#failures = new RollingCount(windowMs / BUCKETS, BUCKETS);
    this.#slow = new RollingCount(windowMs / BUCKETS, BUCKETS);
  }

  add(successes: number, failures: number, slow: number, nowMs: number): void {
    this.#calls.add(nowMs, successes + failures);
    if (failures > 0) this.#failures.add(nowMs, failures);
    if (slow > 0) this.#slow.add(nowMs, slow);
  }

  calls(nowMs: number): number {
    return this.#calls.total(nowMs);
  }

  failures(nowMs: number): number {
    return this.#failures.total(nowMs);
  }

  slow(nowMs: number): number {
    return this.#slow.total(nowMs);
  }
}
