import type { Verdict } from "../../algorithms/algorithm.ts";
import type { Quota } from "../../limiter/quota.ts";

/** Months differ: a window of the calendar is at least so much of its nominal length. */
const SHORTEST = 0.9;

/**
 * How long until the last of `total` units can be taken at the soonest, if all are taken as early as they can be. Exact
 * for sliding windows and buckets; for windows of the calendar it may be sooner than it will be. In microseconds.
 *
 * @param peek what the limit says to so many units, now
 * @param from nothing is taken before so long from now
 */
export function foresee(
  { algorithm, limit, periodMs }: Quota,
  total: number,
  peek: (cost: number) => Verdict,
  from = 0,
): number {
  const period = periodMs * 1000;
  if (algorithm.name === "fixed-window") {
    const { remaining, resetAfter } = peek(0);
    if (total <= remaining) return from;
    return Math.max(from, resetAfter + Math.floor((total - remaining - 1) / limit) * period * SHORTEST);
  }
  if (total <= limit) return Math.max(from, peek(total).retryAfter);
  if (algorithm.name === "token-bucket") {
    return Math.max(from, peek(limit).retryAfter) + Math.floor(((total - limit) * period) / limit);
  }
  if (algorithm.name !== "sliding-window") return Math.max(from, peek(limit).retryAfter);
  // What starts now starts again a period later: the log of a full window repeats itself.
  const rounds = Math.floor((total - 1) / limit);
  return Math.max(from, peek(total - rounds * limit).retryAfter) + rounds * period;
}
