import { formatDuration } from "../limiter/duration.ts";

/** Beyond this, waiting within a conversation makes no sense. */
const LONGEST_ADVISED_WAIT_MS = 300_000;

/** What a model should do that can have what it wants after a while: wait and repeat its call, or go on without. */
export function waitAdvice(retryAfterMs: number): string {
  if (retryAfterMs > LONGEST_ADVISED_WAIT_MS) {
    return `The next one can pass in ${formatDuration(retryAfterMs)} (${inSeconds(retryAfterMs)}): do not wait for it and do not repeat the call now. Go on without it, or tell the user when it is possible again.`;
  }
  return `Wait ${inSeconds(retryAfterMs)}, then repeat this call once. Calls before then will be refused as well.`;
}

/** Whole seconds in words, rounded up, at least one. */
export function inSeconds(ms: number): string {
  const amount = Math.max(1, Math.ceil(ms / 1000));
  return amount === 1 ? "1 second" : `${amount} seconds`;
}
