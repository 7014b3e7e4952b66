import { inSeconds } from "./wait-advice.ts";

/** A call that repeats itself. */
export interface LoopFacts {
  readonly tool: string;
  /** How often it was made, with the same result each time. */
  readonly times: number;
  /** When it may be made again, in milliseconds; `undefined`: at once, if it has to be. */
  readonly retryAfterMs?: number;
}

/** A loop in words that a model can act on: what it has done, that nothing new will come of it, and what else there is to do. */
export function loopText({ tool, times, retryAfterMs }: LoopFacts): string {
  const what = `You have called the tool "${tool}" ${times} times with the same arguments, and the result was the same each time.`;
  if (retryAfterMs === undefined) {
    return `${what} This call was not run. You already have its result: use that, change the arguments, or try something else. If the call has to be made again, make it once more.`;
  }
  return `${what} This call was not run, and it is refused for the next ${inSeconds(retryAfterMs)}. Do not repeat it. Use the result that you have, try something else, or tell the user that you are stuck.`;
}
