import type { Quota } from "./quota.ts";
import type { Taken } from "./store.ts";

/** The answer to one call, as a plain value. A refusal is an answer, not an exception. */
export interface Decision {
  readonly allowed: boolean;
  /** Name of the quota that decided: the one that refuses for longest, else the one nearest to refusing. */
  readonly quota: string;
  /** Most units that could be left. */
  readonly limit: number;
  /** Whole units left after this call. */
  readonly remaining: number;
  /**
   * Milliseconds after which *this* cost passes, if nobody else takes units: 0 when allowed,
   * `Infinity` when it never will. Rounded up to whole milliseconds, so that waiting so long is enough.
   */
  readonly retryAfterMs: number;
  /** Milliseconds until the key is as good as new, rounded up. */
  readonly resetAfterMs: number;
  /** Decided without the store that should have decided. */
  readonly degraded: boolean;
}

/** One quota's decision from the store's answer. */
export function decisionOf({ name, limit }: Pick<Quota, "name" | "limit">, taken: Taken): Decision {
  return {
    allowed: taken.allowed,
    quota: name,
    limit,
    remaining: taken.remaining,
    retryAfterMs: Math.ceil(taken.retryAfter / 1000),
    resetAfterMs: Math.ceil(taken.resetAfter / 1000),
    degraded: taken.degraded === true,
  };
}

/** Of several quotas' decisions on one call, the one that a caller needs to hear about. */
export function bindingOf(decisions: readonly Decision[]): Decision {
  return decisions.reduce((a, b) => (isNearer(b, a) ? b : a));
}

function isNearer(a: Decision, b: Decision): boolean {
  if (a.allowed !== b.allowed) return !a.allowed;
  if (!a.allowed) return a.retryAfterMs > b.retryAfterMs;
  return a.remaining * b.limit < b.remaining * a.limit;
}
