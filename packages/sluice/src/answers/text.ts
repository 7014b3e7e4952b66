import type { Decision } from "../limiter/decision.ts";
import { formatDuration } from "../limiter/duration.ts";
import type { Quota } from "../limiter/quota.ts";

/** A refusal, with what is needed to explain it. */
export interface Refusal {
  /** What is limited: `the tool "search"`. */
  readonly subject: string;
  /** Whether each client has this limit, or all clients share it. */
  readonly per: "client" | "everyone";
  readonly quota: Quota;
  readonly decision: Decision;
}

/** Beyond this, waiting within a conversation makes no sense. */
const LONGEST_ADVISED_WAIT_MS = 300_000;

/**
 * A refusal in words that a model can act on: which limit, that nothing was done, how many seconds
 * to wait, and whether to try again at all.
 */
export function refusalText({ subject, per, quota, decision }: Refusal): string {
  if (decision.degraded) return outageText(decision);
  const whose = per === "client" ? "for each client" : "for all clients together";
  const limit = `Rate limit reached: ${subject} may be used ${quota.text}, counted ${whose}.`;
  return `${limit} This call was not run. ${advice(quota, decision)}`;
}

/** An outage is nobody's overuse: there is nothing that the caller did too often. */
function outageText({ retryAfterMs }: Decision): string {
  const what =
    "The rate limiter of this server is unavailable, so this call was not run. It was not one call too many.";
  if (retryAfterMs === Infinity) return `${what} It asks for more than its limit can ever give: do not repeat it.`;
  return `${what} Wait ${seconds(retryAfterMs)}, then repeat this call once. If that fails too, go on without it and tell the user.`;
}

function advice(quota: Quota, { retryAfterMs, limit }: Decision): string {
  if (retryAfterMs === Infinity) {
    return `It asks for more than the limit of ${limit} can ever give: do not repeat it. Ask for less, or do without.`;
  }
  if (quota.algorithm.name === "concurrency") {
    return `Wait until one of the running calls has ended (${seconds(retryAfterMs)} at the latest), then repeat this call once.`;
  }
  if (retryAfterMs > LONGEST_ADVISED_WAIT_MS) {
    return `The next one can pass in ${formatDuration(retryAfterMs)} (${seconds(retryAfterMs)}): do not wait for it and do not repeat the call now. Go on without it, or tell the user when it is possible again.`;
  }
  return `Wait ${seconds(retryAfterMs)}, then repeat this call once. Calls before then will be refused as well.`;
}

function seconds(ms: number): string {
  const amount = Math.max(1, Math.ceil(ms / 1000));
  return amount === 1 ? "1 second" : `${amount} seconds`;
}
