import { block } from "../../algorithms/block.ts";
import type { Clock } from "../../limiter/clock.ts";
import type { Decision } from "../../limiter/decision.ts";
import type { Quota } from "../../limiter/quota.ts";
import { type Admission, type Applied, free } from "./admission.ts";

/** What refuses a caller whom an operator has blocked. */
const QUOTA: Quota = { name: "block", text: "not at all", limit: 0, periodMs: 0, algorithm: block };

/** The refusal of calls of which one is blocked by an override; `undefined` when none is. Nothing is charged. */
export function blockedBy(list: readonly Applied[], clock: Clock): Admission | undefined {
  for (const caller of list) {
    for (const rule of caller.rules) {
      const until = rule.blockedUntil(caller);
      if (until === undefined) continue;
      const leftMs = Math.max(1, until - clock.wall() / 1000);
      const decision: Decision = {
        allowed: false,
        quota: QUOTA.name,
        limit: 0,
        remaining: 0,
        retryAfterMs: leftMs,
        resetAfterMs: leftMs,
        degraded: false,
      };
      const { subject, per, advice } = rule;
      const refusal = { subject, per, quota: QUOTA, decision, isBlock: true, ...(advice !== undefined && { advice }) };
      const decisions = [{ policy: rule.name, quota: QUOTA, decision, key: caller.client, cost: 1 }];
      return { ...free, refusal, outcome: { decision, decisions, waitedMs: 0 } };
    }
  }
  return undefined;
}
