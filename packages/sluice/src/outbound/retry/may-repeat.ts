import type { Outcome } from "./classify.ts";
import { readFailure } from "./failure.ts";

/** What is known of a call that tells whether doing it twice does harm. */
export interface Repeatable {
  /** The HTTP method, in any case. A call without one is taken for one that may do harm. */
  readonly method?: string | undefined;
  /** Doing it twice is as doing it once. What the caller says here counts more than the method. */
  readonly idempotent?: boolean | undefined;
  /** It carries an `Idempotency-Key`, by which the upstream knows a repeated call. */
  readonly hasIdempotencyKey?: boolean | undefined;
}

/** RFC 9110 §9.2.2. CONNECT, PATCH and POST are not. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * Whether a call that ended so may be made again without doing harm: it does none if done twice, or it was not done.
 *
 * It was not done when the request never left this machine; and when it was turned away: 429 (RFC 6585 §4) and 425
 * (RFC 8470 §5.2) are said before the request is looked at, and so is what the response calls a limit. A 503 is no
 * such word, with a `Retry-After` or without: a proxy gives it for a server that was lost in the middle of its work.
 *
 * A function that sends several requests must be judged as a whole: its last error knows nothing of the first request.
 */
export function mayRepeat({ method, idempotent, hasIdempotencyKey }: Repeatable, outcome: Outcome): boolean {
  return (
    hasIdempotencyKey === true || (idempotent ?? IDEMPOTENT.has(method?.toUpperCase() ?? "")) || wasTurnedAway(outcome)
  );
}

function wasTurnedAway(outcome: Outcome): boolean {
  if ("status" in outcome) return isRefusal(outcome.status) || (outcome.isThrottled === true && outcome.status < 500);
  const failure = readFailure(outcome.error);
  return failure.kind === "answered" ? isRefusal(failure.status) : failure.kind === "unsent";
}

function isRefusal(status: number): boolean {
  return status === 429 || status === 425;
}
