import type { Decision } from "../limiter/decision.ts";
import type { Quota } from "../limiter/quota.ts";
import { type LoopFacts, loopText } from "./loop-text.ts";
import { inSeconds, waitAdvice } from "./wait-advice.ts";

/** A refusal, with what is needed to explain it. */
export interface Refusal {
  /** What is limited: `the tool "search"`. */
  readonly subject: string;
  /** Whether each client has this limit, or all clients share it. */
  readonly per: "client" | "everyone";
  readonly quota: Quota;
  readonly decision: Decision;
  /** What whoever set the limit has to say about it. */
  readonly advice?: string;
  /** Set when it is no limit that refuses, but the call that repeats itself. */
  readonly loop?: LoopFacts;
  /** Set when an operator lets nothing of this client pass for a while. */
  readonly isBlock?: boolean;
  /** Set when the client is to come again with this, and the call is not over. */
  readonly ticket?: string;
}

/**
 * A refusal in words that a model can act on: which limit, that nothing was done, how many seconds
 * to wait, and whether to try again at all.
 */
export function refusalText({ subject, per, quota, decision, advice: own, loop, isBlock = false }: Refusal): string {
  if (loop !== undefined) return loopText(loop);
  if (isBlock) return withAdvice(`${BLOCKED} ${waitAdvice(decision.retryAfterMs)}`, own);
  if (decision.degraded) return outageText(decision);
  const whose = per === "client" ? "for each client" : "for all clients together";
  const limit = `Rate limit reached: ${subject} may be used ${quota.text}, counted ${whose}.`;
  const text = `${limit} This call was not run. ${advice(quota, decision)}`;
  return withAdvice(text, own);
}

const BLOCKED = "The operator of this server lets no such calls of this client pass for now. This call was not run.";

const withAdvice = (text: string, own: string | undefined): string => (own === undefined ? text : `${text} ${own}`);

/** An outage is nobody's overuse: there is nothing that the caller did too often. */
function outageText({ retryAfterMs }: Decision): string {
  const what =
    "The rate limiter of this server is unavailable, so this call was not run. It was not one call too many.";
  if (retryAfterMs === Infinity) return `${what} It asks for more than its limit can ever give: do not repeat it.`;
  return `${what} Wait ${inSeconds(retryAfterMs)}, then repeat this call once. If that fails too, go on without it and tell the user.`;
}

function advice(quota: Quota, { retryAfterMs, limit }: Decision): string {
  if (retryAfterMs === Infinity) {
    return `It asks for more than the limit of ${limit} can ever give: do not repeat it. Ask for less, or do without.`;
  }
  if (quota.algorithm.name === "concurrency") {
    return `Wait until one of the running calls has ended (${inSeconds(retryAfterMs)} at the latest), then repeat this call once.`;
  }
  return waitAdvice(retryAfterMs);
}
