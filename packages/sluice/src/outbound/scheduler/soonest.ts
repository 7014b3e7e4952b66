import type { Limit } from "../limits.ts";
import { foresee } from "./foresee.ts";

/**
 * How long until the last of `total` units can start at the soonest, when nothing is known of the limits but when the next
 * unit is there. In microseconds.
 */
export function soonestOf(limits: readonly Limit[], next: number, total: number): number {
  const full = { allowed: true, retryAfter: 0, resetAfter: 0, receipt: 0 };
  const waits = limits
    .filter(({ per }) => per === "upstream")
    .map(({ quota }) => foresee(quota, total, () => ({ ...full, remaining: quota.limit })));
  return next + Math.max(0, ...waits);
}
