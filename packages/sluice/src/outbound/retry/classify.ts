import { readFailure } from "./failure.ts";

/** How an attempt ended: with a response, or with an error. */
export type Outcome =
  | {
      /** The status of the response. */
      readonly status: number;
      /** The response says that it refuses because of a limit: some upstreams answer 403. A 429 needs no saying. */
      readonly isThrottled?: boolean | undefined;
    }
  | { readonly error: unknown };

/**
 * What an outcome is, for those who decide what follows from it.
 *
 * - `ok`: a status below 400.
 * - `throttled`: a limit of the upstream was met: 429, or what the response itself says.
 * - `transient`: it may pass next time: a lost connection, time run out, 408, 425, and 5xx but those below.
 * - `overloaded`: the upstream has too much to do: 503, and 529 as some send it.
 * - `auth`: the upstream does not know the caller, or does not want him: 401, 403, 407, 511.
 * - `client`: asked again the same way the answer is the same: other 4xx, 501, 505, 506, 508, 510.
 * - `unknown`: nothing that speaks of the upstream, cancelled calls among it.
 */
export type OutcomeClass = "ok" | "throttled" | "transient" | "overloaded" | "auth" | "client" | "unknown";

const SINGLE: ReadonlyMap<number, OutcomeClass> = new Map([
  [401, "auth"],
  [403, "auth"],
  [407, "auth"],
  [408, "transient"],
  [425, "transient"],
  [429, "throttled"],
  [501, "client"],
  [503, "overloaded"],
  [505, "client"],
  [506, "client"],
  [508, "client"],
  [510, "client"],
  [511, "auth"],
  [529, "overloaded"],
]);

/** The class of an outcome. Never throws, whatever the error is. Statuses: RFC 9110 §15, RFC 6585. */
export function classify(outcome: Outcome): OutcomeClass {
  if ("status" in outcome) return outcome.isThrottled ? "throttled" : ofStatus(outcome.status);
  const failure = readFailure(outcome.error);
  if (failure.kind === "answered") return ofStatus(failure.status);
  return failure.kind === "unsent" || failure.kind === "lost" ? "transient" : "unknown";
}

function ofStatus(status: number): OutcomeClass {
  const single = SINGLE.get(status);
  if (single !== undefined) return single;
  // 0 is what browsers give for a response that must not be read.
  if (!(status >= 100 && status <= 599)) return "unknown";
  if (status < 400) return "ok";
  return status < 500 ? "client" : "transient";
}
