import { isCallersFault } from "../../stores/errors.ts";
import { classify, type Outcome, type OutcomeClass } from "../retry/classify.ts";
import { readFailure } from "../retry/failure.ts";

/** What a call says about its upstream. `neither`: nothing. */
export type Verdict = "success" | "failure" | "neither";

const VERDICTS: Readonly<Record<Exclude<OutcomeClass, "unknown">, Verdict>> = {
  ok: "success",
  transient: "failure",
  overloaded: "failure",
  throttled: "neither",
  auth: "neither",
  client: "neither",
};

/**
 * What the outcome of a call says to the breaker. A 429 or another 4xx comes from an upstream that works; but it is no
 * success either, since it is given before any work is done.
 *
 * An error of which nothing is known counts as a failure, since most functions throw their own when a call fails. Not
 * so one that says that the call was cancelled or that the caller made a mistake: a RangeError, a ReferenceError, or a
 * TypeError without a cause.
 */
export function verdictOf(outcome: Outcome): Verdict {
  const outcomeClass = classify(outcome);
  if (outcomeClass !== "unknown") return VERDICTS[outcomeClass];
  if ("status" in outcome) return "neither";
  const { error } = outcome;
  const isOurs = isCallersFault(error) || error instanceof ReferenceError || readFailure(error).kind === "cancelled";
  return isOurs ? "neither" : "failure";
}
