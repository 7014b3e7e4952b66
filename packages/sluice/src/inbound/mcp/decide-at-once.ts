import { bindingOf, type Decision } from "../../limiter/decision.ts";
import { decisionsOf } from "../../limiter/reservation.ts";
import type { SyncStore } from "../../limiter/store.ts";
import type { McpCall } from "../../policy/call.ts";
import { NEVER_BLOCKED } from "../../policy/never-block.ts";
import type { Caller, Rule } from "../../policy/rule.ts";

/** Whether nothing but the arrival of a call decides about it, and nobody has to say when it ended. */
export const isDecidedAtOnce = ({ mode, holdsPlaces, settles, adaptation }: Rule): boolean =>
  mode === "enforce" && !holdsPlaces && !settles && adaptation === undefined;

/** Decides about calls one by one, with nothing around it: no lines, no listeners. The same rules charge the same accounts. */
export function decidesAtOnce(
  store: SyncStore,
  rulesFor: (call: McpCall) => readonly Rule[],
): (call: McpCall, caller: Caller) => Decision | undefined {
  return (call, caller) => {
    if (NEVER_BLOCKED.has(call.method)) return undefined;
    const rules = rulesFor(call);
    if (rules.length === 1) {
      const decision = rules[0]!.consume?.(call, caller);
      if (decision !== undefined) return decision;
    }
    const claims = rules.flatMap((rule) => rule.claims(call, caller));
    if (claims.length === 0) return undefined;
    return bindingOf(decisionsOf(claims, store.take(claims.map(({ demand }) => demand))));
  };
}
