import type { McpWaitingEvent } from "../../inbound/mcp/waiting.ts";
import { RATE_LIMIT } from "./conventions.ts";
import type { DecisionsOptions } from "./decisions.ts";

/** Counts who stands in line, and says on the span of a call when it began to. */
export function waitingRecorder({ instruments, spanOf }: Pick<DecisionsOptions, "instruments" | "spanOf">) {
  return ({ call, reason, policy, state }: McpWaitingEvent): void => {
    const attributes = { [RATE_LIMIT.policy]: policy, [RATE_LIMIT.waitReason]: reason };
    instruments.waiting.add(state === "waiting" ? 1 : -1, attributes);
    if (state === "waiting") spanOf(call.params)?.addEvent("rate_limit.waiting", attributes);
  };
}
