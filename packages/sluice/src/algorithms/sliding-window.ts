import {
  type Algorithm,
  type Answer,
  type Cells,
  type LateTerms,
  LEAST_PER_LEASE,
  type LeaseTerms,
  Mode,
} from "./algorithm.ts";
import { MAX_UNITS, wholeMicroseconds, wholeNumber } from "./numbers.ts";

export interface SlidingWindowOptions {
  /** Units that may start in any period: a whole number from 1. */
  readonly limit: number;
  /** In milliseconds; may have up to three decimals. */
  readonly periodMs: number;
  /**
   * How finely a window is remembered (K). With a limit of up to K + 2, every charge is remembered by
   * itself; with a larger one, charges in the same K-th of a period are remembered together.
   *
   * @default 100
   */
  readonly granules?: number;
}

/**
 * Sliding window: never more than `limit` units in any period, wherever the period starts.
 *
 * **Bound**: at most `limit × ⌈W / periodMs⌉` units start in any window W, and so at most `limit` in
 * any period. With a limit of up to K + 2 a unit returns exactly one period after it was taken. With
 * a larger one it returns at most `periodMs / K` later, so at least K / (K + 1) of the limit can
 * always be used.
 *
 * @throws RangeError when a number is not whole or out of range.
 */
export function slidingWindow({ limit, periodMs, granules = 100 }: SlidingWindowOptions): Algorithm {
  wholeNumber("limit", limit, 1);
  wholeNumber("granules", granules, 1);
  const period = wholeMicroseconds("periodMs", periodMs);
  return new SlidingWindow(limit, period, granules);
}

/** Where the cells hold the index of the oldest live charge, and the units of all live charges. */
const HEAD = 0;
const SUM = 1;
const FIRST = 2;
/** Leases may cost this part of a period, and grants are few: they can be remembered more finely than calls. */
const LEASE_COST = 220;
const LEASE_GRANULES = 400;

/**
 * The window as a log of charges, oldest first: `[head, sum, time, units, time, units, …]`. Charges
 * before `head` are over. Where the limit would let the log grow long, and for what is charged beyond
 * the limit, the charges of one granule are one charge at the time of the latest, which can only delay
 * the return of units. So a log remembers at most 2 K + 3 charges.
 */
class SlidingWindow implements Algorithm {
  readonly name = "sliding-window";
  readonly width = 0;
  readonly clock = "elapsed";
  readonly params: readonly number[];
  readonly capacity: number;
  readonly #period: number;
  readonly #granule: number;
  /** Whether the limit is too large to remember every charge by itself. */
  readonly #isCoarse: boolean;
  readonly carries: boolean;

  constructor(limit: number, period: number, granules: number, carries = false) {
    this.carries = carries;
    this.params = [limit, period, granules];
    this.capacity = limit;
    this.#period = period;
    this.#granule = Math.ceil(period / granules);
    this.#isCoarse = limit > granules + 2;
  }

  apply(cells: Cells, _offset: number, now: number, cost: number, mode: Mode, receipt: number, answer: Answer): void {
    const log = cells as number[];
    const length = log.length;
    const oldest = now - this.#period;
    let head = length === 0 ? FIRST : log[HEAD]!;
    let sum = length === 0 ? 0 : log[SUM]!;
    while (head < length && log[head]! <= oldest) {
      sum -= log[head + 1]!;
      head += 2;
    }
    const live = head < length;
    const future = live && log[length - 2]! > now;
    answer.allowed = true;
    answer.retryAfter = 0;
    answer.receipt = now;
    if (cost > 0 && mode !== Mode.force && cost > this.capacity - sum) {
      answer.allowed = false;
      answer.retryAfter = this.#retryAfter(log, head, now, cost - (this.capacity - sum), cost);
      if (future && mode !== Mode.peek) setBack(log, head, now);
    } else if (mode !== Mode.peek) {
      if (future) setBack(log, head, now);
      if (cost > 0) {
        const units = mode === Mode.force ? Math.min(cost, MAX_UNITS - sum) : cost;
        this.#append(log, head, now, units, sum);
        sum += units;
      } else if (cost < 0) {
        sum -= this.#giveBack(log, head, now, -cost, receipt, sum);
      }
    } else if (cost > 0) {
      sum += cost;
    }
    answer.remaining = Math.max(0, this.capacity - sum);
    answer.resetAfter = this.#resetAfter(log, now, sum, cost > 0 && answer.allowed);
  }

  isFresh(cells: Cells, _offset: number, now: number): boolean {
    const { length } = cells;
    return length <= FIRST || cells[length - 2]! <= now - this.#period;
  }

  /** Units used in a period were granted in a period and a lease: the store keeps the limit over that. */
  forLeases(lease: number): LeaseTerms | undefined {
    const granted = Math.min(lease, Math.floor(this.#period / LEASE_COST));
    if (granted * this.capacity < LEAST_PER_LEASE * this.#period) return undefined;
    return {
      algorithm: new SlidingWindow(this.capacity, this.#period + granted, LEASE_GRANULES, this.carries),
      lease: granted,
      endsWithWindow: false,
      isReturnable: true,
      perLease: (granted * this.capacity) / (this.#period + granted),
    };
  }

  usedLate(by: number): LateTerms {
    const [limit, period, granules] = this.params as readonly [number, number, number];
    return { algorithm: new SlidingWindow(limit, period + by, granules, this.carries), endsWithWindow: false };
  }

  /** A log says nothing of the numbers it was written under: it stays as it is. */
  carrying(): Algorithm {
    const [limit, period, granules] = this.params as readonly [number, number, number];
    return new SlidingWindow(limit, period, granules, true);
  }

  share(parts: number): Algorithm {
    const [limit, period, granules] = this.params as readonly [number, number, number];
    return new SlidingWindow(Math.max(1, Math.floor(limit / parts)), period, granules);
  }

  /** When enough of the oldest charges are over to make room for `excess` units. */
  #retryAfter(log: number[], head: number, now: number, excess: number, cost: number): number {
    if (cost > this.capacity) return Infinity;
    let freed = 0;
    for (let i = head; ; i += 2) {
      freed += log[i + 1]!;
      if (freed >= excess) return Math.min(log[i]!, now) + this.#period - now;
    }
  }

  #resetAfter(log: number[], now: number, sum: number, charged: boolean): number {
    if (sum === 0) return 0;
    return charged ? this.#period : Math.min(log[log.length - 2]!, now) + this.#period - now;
  }

  #append(log: number[], head: number, now: number, cost: number, sum: number): void {
    if (log.length === 0) {
      log.push(FIRST, cost, now, cost);
      return;
    }
    log[HEAD] = dropDead(log, head);
    log[SUM] = sum + cost;
    const last = log.length - 2;
    if (last >= FIRST && sum > 0 && this.#isOneCharge(log[last]!, now, sum)) {
      log[last] = now;
      log[last + 1] = log[last + 1]! + cost;
    } else {
      log.push(now, cost);
    }
  }

  /** Whether a charge at `now` is remembered together with the last one. */
  #isOneCharge(last: number, now: number, sum: number): boolean {
    if (last === now) return true;
    return (this.#isCoarse || sum >= this.capacity) && this.#granuleOf(last) === this.#granuleOf(now);
  }

  /** Take units off the charge that the receipt (its time) names while that counts, else off the newest charges. */
  #giveBack(log: number[], head: number, now: number, units: number, receipt: number, sum: number): number {
    if (head >= log.length) return 0;
    let left = units;
    if (receipt === 0) {
      for (let i = log.length - 2; i >= head && left > 0; i -= 2) left -= takeOff(log, i, left);
    } else if (receipt > now - this.#period) {
      const i = this.#indexOf(log, head, receipt);
      if (i < log.length) left -= takeOff(log, i, left);
    }
    const given = units - left;
    log[HEAD] = head;
    log[SUM] = sum - given;
    return given;
  }

  /** Where the charge of that time is: by itself, or in what became of its granule. Else past the end. */
  #indexOf(log: readonly number[], head: number, time: number): number {
    let i = head;
    while (i < log.length && log[i]! < time) i += 2;
    return i < log.length && this.#granuleOf(log[i]!) === this.#granuleOf(time) ? i : log.length;
  }

  #granuleOf(time: number): number {
    return Math.floor(time / this.#granule);
  }
}

/** Forget charges that are over once they are half of the log: each is moved at most once on average. Returns the new head. */
function dropDead(log: number[], head: number): number {
  const { length } = log;
  if (head === FIRST || head - FIRST < length - head) return head;
  for (let from = head, to = FIRST; from < length; ) log[to++] = log[from++]!;
  log.length = length - (head - FIRST);
  return FIRST;
}

/** The clock was set back: charges from what is now the future are taken to be of now, and so end in time. */
function setBack(log: number[], head: number, now: number): void {
  for (let i = log.length - 2; i >= head && log[i]! > now; i -= 2) log[i] = now;
}

function takeOff(log: number[], i: number, units: number): number {
  const given = Math.min(units, log[i + 1]!);
  log[i + 1] = log[i + 1]! - given;
  if (log[i + 1] === 0) log.splice(i, 2);
  return given;
}
