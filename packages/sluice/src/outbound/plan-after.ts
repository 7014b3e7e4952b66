import type { MadeAttempt } from "./attempt.ts";
import type { Call } from "./call.ts";
import { classify, type Outcome } from "./retry/classify.ts";
import { mayRepeat } from "./retry/may-repeat.ts";
import { planRetry, type RetryPlan } from "./retry/plan.ts";
import type { RetryBudget } from "./retry/retry-budget.ts";
import type { UpstreamSettings } from "./upstream-options.ts";

export interface Circumstances {
  readonly settings: UpstreamSettings;
  readonly budget: RetryBudget | undefined;
  readonly call: Call<any>;
  /** In microseconds. */
  readonly now: number;
}

/** Whether another attempt follows one that ended so, and when. */
export function planAfter(
  { attempt, heard }: MadeAttempt<any>,
  outcome: Outcome,
  { settings, budget, call, now }: Circumstances,
): RetryPlan {
  const { deadline, terms } = call;
  const { options, repeatable } = terms;
  const { attempts = settings.attempts, idempotent = repeatable.idempotent } = options;
  return planRetry({
    attempt,
    attempts,
    outcomeClass: classify(outcome),
    canRepeat: mayRepeat({ ...repeatable, idempotent }, outcome),
    retryAfterMs: heard?.retryAfterMs,
    deadlineMs: deadline === Infinity ? undefined : deadline / 1000,
    nowMs: now / 1000,
    // What the upstream asked to be repeated later is no burden to it.
    budget: heard?.retryAfterMs === undefined ? budget : undefined,
    backoff: settings.backoff,
  });
}
