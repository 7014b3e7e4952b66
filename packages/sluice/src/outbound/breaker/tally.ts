import { RollingCount } from "./rolling-count.ts";

/** Outcomes of calls, counted. */
export interface OutcomeCounts {
  readonly successes: number;
  readonly failures: number;
  /** How many of them all took too long. */
  readonly slow: number;
}

/** Where outcomes are counted. */
export interface Tally {
  add(counts: OutcomeCounts, nowMs: number): void;
  read(nowMs: number): OutcomeCounts;
}

export const NOTHING: OutcomeCounts = { successes: 0, failures: 0, slow: 0 };

export function plus(a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts {
  return { successes: a.successes + b.successes, failures: a.failures + b.failures, slow: a.slow + b.slow };
}

/** Whether counts that came from elsewhere can be counted: a sum that was once NaN would stay so. */
export function isCounts({ successes, failures, slow }: OutcomeCounts): boolean {
  return [successes, failures, slow].every((count) => Number.isSafeInteger(count) && count >= 0);
}

/** A tally that keeps everything, from `counts` on. */
export function lastingTally(counts: OutcomeCounts = NOTHING): Tally {
  let sum = counts;
  return {
    add(more) {
      sum = plus(sum, more);
    },
    read: () => sum,
  };
}

/** The window moves on in tenths of its length. */
const BUCKETS = 10;

/** A tally of the newest outcomes: of the last nine to ten tenths of the window. */
export function rollingTally(windowMs: number): Tally {
  const [successes, failures, slow] = Array.from({ length: 3 }, () => new RollingCount(windowMs / BUCKETS, BUCKETS));
  return {
    add(counts, nowMs) {
      successes!.add(nowMs, counts.successes);
      failures!.add(nowMs, counts.failures);
      slow!.add(nowMs, counts.slow);
    },
    read: (nowMs) => ({
      successes: successes!.total(nowMs),
      failures: failures!.total(nowMs),
      slow: slow!.total(nowMs),
    }),
  };
}
