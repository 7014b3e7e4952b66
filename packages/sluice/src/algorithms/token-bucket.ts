import {
  type Algorithm,
  type Answer,
  type Cells,
  type LateTerms,
  LEAST_PER_LEASE,
  type LeaseTerms,
  Mode,
} from "./algorithm.ts";
import { greatestCommonDivisor, wholeMicroseconds, wholeNumber } from "./numbers.ts";
import { slidingWindow } from "./sliding-window.ts";

/** Sums of two such numbers, and quotients of them, are exact in doubles (and so in Lua). */
const MAX_DEPTH = 2 ** 51;
const MAX_DEBT = 2 ** 52;
/** Leases may cost a fiftieth of the burst. */
const LEASE_COST = 50;

export interface TokenBucketOptions {
  /** Units that flow back every `periodMs`: a whole number from 1. */
  readonly limit: number;
  /** In milliseconds; may have up to three decimals. */
  readonly periodMs: number;
  /**
   * Units that may pass at once after a quiet spell.
   *
   * @default limit
   */
  readonly burst?: number;
}

/**
 * Token bucket: a burst at once, then a steady rate.
 *
 * **Bound**: at most `burst + limit × W / periodMs` units start in any window W.
 *
 * Also known as GCRA (`at + debt / limit` is its theoretical arrival time) and as the leaky bucket
 * meter: one algorithm under three names, so there is one implementation.
 *
 * @throws RangeError when the numbers are not whole, or too large for exact arithmetic; the message
 *   names the nearest limit that fits.
 */
export function tokenBucket({ limit, periodMs, burst = limit }: TokenBucketOptions): Algorithm {
  wholeNumber("limit", limit, 1);
  wholeNumber("burst", burst, 1);
  const period = wholeMicroseconds("periodMs", periodMs);
  const divisor = greatestCommonDivisor(limit, period);
  if (burst * (period / divisor) > MAX_DEPTH) {
    throw new RangeError(
      `A token bucket of ${limit} per ${periodMs} ms with burst ${burst} is too large for exact arithmetic. ` +
        `The nearest that fits: ${nearestThatFits(limit, period, burst)}.`,
    );
  }
  return new TokenBucket(limit / divisor, period / divisor, burst);
}

/**
 * The bucket as a debt that drains: a unit adds `unit` to the debt and every microsecond takes
 * `drain` off it, so the state is two integers and nothing is ever rounded.
 */
class TokenBucket implements Algorithm {
  readonly name = "token-bucket";
  readonly width: number;
  readonly clock = "elapsed";
  readonly params: readonly number[];
  readonly #depth: number;
  /** Beyond this the product `elapsed × drain` would not be exact, and any debt is long gone. */
  readonly #longest: number;
  readonly #drain: number;
  readonly #unit: number;
  readonly capacity: number;

  readonly carries: boolean;

  constructor(drain: number, unit: number, burst: number, carries = false) {
    this.params = [drain, unit, burst];
    this.carries = carries;
    this.width = carries ? 3 : 2;
    this.capacity = burst;
    this.#drain = drain;
    this.#unit = unit;
    this.#depth = burst * unit;
    this.#longest = Math.floor(MAX_DEBT / drain);
  }

  apply(cells: Cells, offset: number, now: number, cost: number, mode: Mode, receipt: number, answer: Answer): void {
    const depth = this.#depth;
    const elapsed = now - cells[offset + 1]!;
    let debt = this.#drained(this.#debtOf(cells, offset), elapsed);
    let allowed = true;
    let retryAfter = 0;
    if (cost < 0) {
      debt = Math.max(0, debt - this.#credit(-cost, receipt === 0 ? MAX_DEBT : receipt - now));
    } else if (cost > 0) {
      const next = cost <= this.capacity ? debt + cost * this.#unit : Infinity;
      if (next <= depth) {
        debt = next;
      } else if (mode === Mode.force) {
        debt = Math.min(MAX_DEBT, debt + cost * this.#unit);
      } else {
        allowed = false;
        retryAfter = next === Infinity ? Infinity : Math.ceil((next - depth) / this.#drain);
      }
    }
    if (mode !== Mode.peek && (allowed || elapsed < 0)) {
      cells[offset] = debt;
      cells[offset + 1] = now;
      if (this.carries) cells[offset + 2] = this.#unit;
    }
    const room = depth - debt;
    answer.allowed = allowed;
    answer.remaining = room >= this.#unit ? Math.floor(room / this.#unit) : 0;
    answer.retryAfter = retryAfter;
    answer.resetAfter = Math.ceil(debt / this.#drain);
    answer.receipt = now + answer.resetAfter;
  }

  isFresh(cells: Cells, offset: number, now: number): boolean {
    return this.#drained(this.#debtOf(cells, offset), now - cells[offset + 1]!) === 0;
  }

  /** A debt is counted in parts of a unit, so its state says of which. */
  carrying(): Algorithm {
    return new TokenBucket(this.#drain, this.#unit, this.capacity, true);
  }

  /**
   * Granted units are used up to a lease late, so what flows back in a lease comes off the burst: at most
   * `burst - rate × lease + rate × (W + lease)` units are used in any window W, as promised.
   *
   * What nobody used stays charged. A receipt names the top of a debt that others' units make up too: two
   * processes that hand back in turn could lower a debt that has drained meanwhile, and then use more.
   */
  forLeases(lease: number): LeaseTerms | undefined {
    const perUnit = this.#unit / this.#drain;
    const most = Math.floor((this.capacity / LEASE_COST) * perUnit);
    const granted = Math.min(lease, most);
    if (granted < LEAST_PER_LEASE * perUnit) return undefined;
    const burst = this.capacity - Math.ceil(granted / perUnit);
    return {
      algorithm: new TokenBucket(this.#drain, this.#unit, burst, this.carries),
      lease: granted,
      endsWithWindow: false,
      isReturnable: false,
      perLease: granted / perUnit,
    };
  }

  /**
   * What flows back meanwhile comes off the burst, as for leases. Where the burst is too small for that, a window that
   * lets a whole burst pass in the time in which one flows back, and `by`, keeps the bound as well.
   */
  usedLate(by: number): LateTerms {
    const perUnit = this.#unit / this.#drain;
    const burst = this.capacity - Math.ceil(by / perUnit);
    const algorithm =
      burst * 2 >= this.capacity
        ? new TokenBucket(this.#drain, this.#unit, burst, this.carries)
        : slidingWindow({ limit: this.capacity, periodMs: (Math.ceil(this.capacity * perUnit) + by) / 1000 });
    return { algorithm, endsWithWindow: false };
  }

  share(parts: number): Algorithm {
    const burst = Math.max(1, Math.floor(this.capacity / parts));
    const divisor = greatestCommonDivisor(this.#drain, parts);
    return new TokenBucket(this.#drain / divisor, this.#unit * (parts / divisor), burst);
  }

  /** The debt in parts of this bucket's unit: rounded up, where another left it in parts of its own. */
  #debtOf(cells: Cells, offset: number): number {
    const debt = cells[offset]!;
    if (!this.carries || debt === 0 || cells[offset + 2] === this.#unit) return debt;
    const unit = cells[offset + 2]!;
    const whole = Math.floor(debt / unit);
    return Math.min(MAX_DEBT, whole * this.#unit + Math.ceil(((debt - whole * unit) * this.#unit) / unit));
  }

  #drained(debt: number, elapsed: number): number {
    if (elapsed <= 0) return debt;
    return elapsed > this.#longest ? 0 : Math.max(0, debt - elapsed * this.#drain);
  }

  /**
   * What handing back `units` is worth. The receipt says when the bucket would have been empty after
   * that charge: what has drained of it since then cannot be handed back once more. It is rounded up
   * to a microsecond, so that a charge is undone wholly when nothing came after it.
   */
  #credit(units: number, untilDrained: number): number {
    const charged = Math.min(units * this.#unit, MAX_DEBT);
    return Math.min(charged, Math.max(0, Math.min(untilDrained, this.#longest)) * this.#drain);
  }
}

/** Limits with many factors in common with the period need fewer bits: some such limit is close by. */
function nearestThatFits(limit: number, period: number, burst: number): string {
  for (let distance = 1; distance < 1_000_000; distance++) {
    for (const near of [limit - distance, limit + distance]) {
      const wanted = burst === limit ? near : burst;
      if (near > 0 && wanted * (period / greatestCommonDivisor(near, period)) <= MAX_DEPTH) {
        return `limit ${near}${burst === limit ? "" : ` with burst ${burst}`}`;
      }
    }
  }
  const most = Math.floor(MAX_DEPTH / (period / greatestCommonDivisor(limit, period)));
  return `limit ${limit} with burst ${most}`;
}
