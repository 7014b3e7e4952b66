import type { Backoff } from "./backoff.ts";
import type { OutcomeClass } from "./classify.ts";
import type { RetryBudget } from "./retry-budget.ts";

export interface RetryQuestion {
  /** How many attempts were made: 1 after the first. */
  readonly attempt: number;
  /** How many may be made, the first included. */
  readonly attempts: number;
  readonly outcomeClass: OutcomeClass;
  /** Making the call again does no harm, see `mayRepeat`. */
  readonly canRepeat: boolean;
  /** What the upstream asked for. In milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
  /** No attempt starts later. On the scale of `nowMs`. */
  readonly deadlineMs?: number | undefined;
  readonly nowMs: number;
  /** Without one, nothing but `attempts` bounds the retries. */
  readonly budget?: RetryBudget | undefined;
  readonly backoff: Backoff;
}

/** When to try again, from now in milliseconds; or why not to. */
export type RetryPlan = { readonly delayMs: number } | { readonly stop: RetryStop };

export type RetryStop =
  /** It ended in a way that does not change by trying again. */
  | "class"
  /** Doing it twice may do harm. */
  | "unsafe"
  /** As many attempts as may be were made. */
  | "attempts"
  /** The next attempt could not start in time. */
  | "deadline"
  /** Too much is tried again already. */
  | "budget";

const WORTH_IT: ReadonlySet<OutcomeClass> = new Set<OutcomeClass>(["throttled", "transient", "overloaded"]);

/**
 * Whether an attempt that failed is followed by another, and when: never earlier than the upstream asked for, never
 * past the deadline. A retry is taken from the budget only when nothing else is in its way.
 */
export function planRetry(question: RetryQuestion): RetryPlan {
  const { attempt, attempts, outcomeClass, canRepeat, retryAfterMs, deadlineMs, nowMs, budget, backoff } = question;
  if (!WORTH_IT.has(outcomeClass)) return { stop: "class" };
  if (!canRepeat) return { stop: "unsafe" };
  if (!(attempt < attempts)) return { stop: "attempts" };
  const atMostMs = deadlineMs === undefined ? undefined : deadlineMs - nowMs;
  const delayMs = backoff(attempt, { toldMs: retryAfterMs, atMostMs });
  if (delayMs === undefined) return { stop: "deadline" };
  if (budget !== undefined && !budget.tryRetry(nowMs)) return { stop: "budget" };
  return { delayMs };
}
