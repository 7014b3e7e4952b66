import { waitAdvice } from "./wait-advice.ts";

/** A call to an upstream that was not made, with what is needed to explain it. Times are milliseconds. */
export interface UpstreamRefusal {
  /** The name of the API that was to be called. */
  readonly upstream: string;
  readonly reason: UpstreamReason;
  /** When it is worth trying again, from now. `Infinity`: never. Undefined: nobody knows. */
  readonly retryAfterMs?: number | undefined;
  /** Calls that were to start before this one. */
  readonly position?: number | undefined;
}

/** Why a call to an upstream was not made. */
export type UpstreamReason = "deadline" | "queue-full" | "breaker-open" | "quota" | "cancelled" | "closed" | "store";

/** Nobody called too often where these are the reason. */
const NO_OVERUSE: ReadonlySet<UpstreamReason> = new Set(["breaker-open", "cancelled", "closed", "store"]);

/** Whether a limit is the reason, and not trouble of the upstream or of the limiter. */
export function isOveruse(reason: UpstreamReason): boolean {
  return !NO_OVERUSE.has(reason);
}

/**
 * A call to an upstream that was not made, in words that a model can act on: which API, why, that it was not called, and
 * whether to try again and when.
 */
export function upstreamRefusalText({ upstream, reason, retryAfterMs, position }: UpstreamRefusal): string {
  const api = `the API "${upstream}"`;
  switch (reason) {
    case "deadline":
      return `Rate limit reached: this tool needs ${api}, which allows only so many calls, and ${ahead(position)}. It was not called, because its turn would have come too late. ${advice(retryAfterMs)}`;
    case "queue-full":
      return `Rate limit reached: this tool needs ${api}, and too many calls wait for it already${position === undefined ? "" : ` (${position})`}. It was not called. ${advice(retryAfterMs)}`;
    case "breaker-open":
      return `This tool needs ${api}, which has failed again and again and is left alone for a while. It was not called. It was not one call too many. ${advice(retryAfterMs)}`;
    case "quota":
      return `This call asks for more than the limit of ${api} can ever give, so it was not called. Do not repeat it. Ask for less, or do without.`;
    case "store":
      return `This tool needs ${api}, and the rate limiter before it is unavailable, so it was not called. It was not one call too many. ${advice(retryAfterMs)}`;
    case "cancelled":
      return `This tool gave up waiting for ${api}, which was not called. Repeat this call once if its result is still needed.`;
    case "closed":
      return `This server is stopping and makes no more calls to ${api}, which was not called. Do not repeat this call now: go on without it, or tell the user.`;
  }
}

function ahead(position: number | undefined): string {
  if (position === undefined || position === 0) return "they are used up";
  return position === 1 ? "1 call goes first" : `${position} calls go first`;
}

function advice(retryAfterMs: number | undefined): string {
  if (retryAfterMs === undefined) {
    return "Repeat this call once after a minute. If that fails too, go on without it and tell the user.";
  }
  if (retryAfterMs === Infinity)
    return "It never will be: do not repeat this call. Go on without it, or tell the user.";
  return waitAdvice(retryAfterMs);
}
