import { shown } from "../../algorithms/numbers.ts";
import { milliseconds } from "../../limiter/duration.ts";
import { RollingCount } from "../breaker/rolling-count.ts";

export interface RetryBudgetOptions {
  /** So many retries for each call: 0.2 is one for every five. @default 0.2 */
  readonly ratio?: number;
  /** So many retries per second are there even when there are few calls. @default 1 */
  readonly minPerSecond?: number;
  /** Calls and retries count for so long. In milliseconds. @default 10_000 */
  readonly windowMs?: number;
}

/**
 * How much may be tried again: retries may make up a part of all calls and no more, so that an upstream in trouble
 * is not buried under them (Finagle's retry budget). For one key: a budget shared by several upstreams would be
 * used up by the one that fails.
 *
 * In the `windowMs` that end with a retry there are never more retries than
 * `ratio × (calls started in them) + minPerSecond × windowMs / 1000`.
 */
export interface RetryBudget {
  /** A call starts: its first attempt. Retries do not count as calls, else they would pay for themselves. */
  started(nowMs: number): void;
  /** Take one retry. `false`: there is none, and nothing was taken. */
  tryRetry(nowMs: number): boolean;
}

/** Ten buckets: what a call pays for lasts nine tenths of the window at least, and a retry counts eleven at most. */
const BUCKETS = 10;

/** @throws RangeError for numbers that cannot be. */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { ratio = 0.2, minPerSecond = 1, windowMs = 10_000 } = options;
  for (const [name, value] of Object.entries({ ratio, minPerSecond })) {
    if (!(value >= 0)) throw new RangeError(`${name} must be a number of at least 0, but it is ${shown(value)}.`);
  }
  milliseconds("windowMs", windowMs, 1);
  const bucketMs = windowMs / BUCKETS;
  const floor = (minPerSecond * windowMs) / 1000;
  // The bound holds for every moment: no call counts that has left the window, and every retry that may be in it.
  const starts = new RollingCount(bucketMs, BUCKETS);
  const retries = new RollingCount(bucketMs, BUCKETS + 1);

  return {
    started(nowMs) {
      starts.add(nowMs);
    },
    tryRetry(nowMs) {
      if (retries.total(nowMs) + 1 > ratio * starts.total(nowMs) + floor) return false;
      retries.add(nowMs);
      return true;
    },
  };
}
