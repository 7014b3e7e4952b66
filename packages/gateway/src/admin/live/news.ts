import type { McpCall, McpDecisionEvent } from "sluice/mcp";

/** What an event says of its call that was not known. */
export interface News {
  /** Nothing was heard of this call before. */
  readonly isNewCall: boolean;
  /** It is the first limit on trial that would have refused this call. */
  readonly isFirstRefusalOnTrial: boolean;
}

/** A call is one call, however many limits on trial speak of it, and whether a limit in force does or not. */
export function newsOfCalls(): (event: Pick<McpDecisionEvent, "call" | "mode" | "decision">) => News {
  /** Whether a limit on trial would have refused it. */
  const known = new WeakMap<McpCall, boolean>();
  return ({ call, mode, decision }) => {
    const wouldBeRefused = known.get(call);
    const isRefusalOnTrial = mode === "shadow" && !decision.allowed;
    known.set(call, isRefusalOnTrial || wouldBeRefused === true);
    return { isNewCall: wouldBeRefused === undefined, isFirstRefusalOnTrial: isRefusalOnTrial && !wouldBeRefused };
  };
}
