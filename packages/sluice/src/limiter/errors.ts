import type { Decision } from "./decision.ts";

/** Thrown by what promises to let the caller through, such as `wait`, when it cannot in time. */
export class RateLimitError extends Error {
  override readonly name = "RateLimitError";
  /** Stable: branch on this, not on the message. */
  readonly code = "RATE_LIMITED";
  readonly decision: Decision;

  constructor(decision: Decision) {
    const { quota, retryAfterMs, degraded } = decision;
    const what = degraded ? "could not be checked, because its store is out of order" : "exceeded";
    const advice = retryAfterMs === Infinity ? "This cost can never pass." : `Retry after ${retryAfterMs} ms.`;
    super(`Rate limit "${quota}" ${what}. ${advice}`);
    this.decision = decision;
  }
}
