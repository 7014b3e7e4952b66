import { milliseconds } from "../limiter/duration.ts";

/** Whether a call that is over a limit stands in line first: `true` for up to 5 s, and at most 30 s, because MCP clients give up after 60 s. */
export type Wait = boolean | { readonly maxWaitMs: number };

const DEFAULT_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 30_000;

/** @throws RangeError above 30 s. */
export function maxWaitOf(wait: Wait = false): number {
  if (typeof wait === "boolean") return wait ? DEFAULT_WAIT_MS : 0;
  const maxWaitMs = milliseconds("wait.maxWaitMs", wait.maxWaitMs, 0);
  if (maxWaitMs <= LONGEST_WAIT_MS) return maxWaitMs;
  throw new RangeError(
    `wait.maxWaitMs must be at most ${LONGEST_WAIT_MS}, because MCP clients give up after 60 s, but it is ${maxWaitMs}.`,
  );
}
