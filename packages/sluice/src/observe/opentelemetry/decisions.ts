import type { Refusal } from "../../answers/text.ts";
import type { McpDecisionEvent } from "../../inbound/mcp/options.ts";
import type { Decision } from "../../limiter/decision.ts";
import type { Quota } from "../../limiter/quota.ts";
import { ATTRIBUTE, RATE_LIMIT } from "./conventions.ts";
import type { Instruments } from "./instruments.ts";
import type { KnownNames } from "./known-names.ts";
import type { Attributes, SpanLike } from "./types.ts";

/** A decision of a limiter, or of a limit for HTTP. */
export interface DecisionLike {
  readonly decision: Decision;
  /** Those of all quotas, where there are several. */
  readonly decisions?: readonly Decision[];
}

export interface DecisionsOptions {
  readonly instruments: Instruments;
  readonly names: KnownNames;
  /** The span of a call, or that which is active. */
  readonly spanOf: (params: object | undefined) => SpanLike | undefined;
}

/** Puts decisions on the spans of their calls, and counts them. Keys of clients are in neither. */
export function decisionRecorder({ instruments, names, spanOf }: DecisionsOptions) {
  const { decisions, utilization, waits, durations } = instruments;

  function ofMcp(event: McpDecisionEvent): void {
    const { call, decision, decisions: all, mode, tier, refusal, waitedMs, tookMs } = event;
    const said = word(decision, waitedMs);
    const binding = all.find((one) => one.decision === decision);
    const policy = { [RATE_LIMIT.policy]: binding?.policy ?? decision.quota };
    const kind = { [RATE_LIMIT.kind]: kindOf(binding?.quota, refusal) };
    const ofTier: Attributes = tier === undefined ? {} : { [RATE_LIMIT.tier]: tier };
    // A span has room for one limit on trial: what is worth knowing is that one would have refused the call.
    if (mode === "enforce") {
      const whole = { ...numbersOf(decision), ...policy, ...kind, ...ofTier, ...decided(said), ...waited(waitedMs) };
      spanOf(call.params)?.setAttributes(whole);
    } else if (!decision.allowed) {
      const attributes = { [RATE_LIMIT.shadowDecision]: said, [RATE_LIMIT.shadowPolicy]: policy[RATE_LIMIT.policy]! };
      spanOf(call.params)?.setAttributes(attributes);
    }
    decisions.add(1, {
      [RATE_LIMIT.decision]: mode === "shadow" ? `shadow_${said}` : said,
      ...policy,
      ...kind,
      ...ofTier,
      [ATTRIBUTE.method]: names.method(call.method),
      ...(call.tool !== undefined && { [ATTRIBUTE.tool]: names.tool(call.tool) }),
    });
    for (const { policy: name, quota, decision: one } of all) use(one, name, kindOf(quota));
    durations.record(tookMs / 1000);
    if (waitedMs > 0) waits.record(waitedMs / 1000, { ...decided(said), ...policy, ...kind });
  }

  function ofLimiter(name: string, { decision, decisions: all = [decision] }: DecisionLike): void {
    const about = { ...decided(word(decision, 0)), [RATE_LIMIT.policy]: name, [RATE_LIMIT.kind]: "limiter" };
    spanOf(undefined)?.setAttributes({ ...numbersOf(decision), ...about });
    decisions.add(1, about);
    for (const one of all) use(one, name, "limiter");
  }

  function use({ limit, remaining }: Decision, policy: string, kind: string): void {
    if (limit > 0) {
      utilization.record((limit - remaining) / limit, { [RATE_LIMIT.policy]: policy, [RATE_LIMIT.kind]: kind });
    }
  }

  return { ofMcp, ofLimiter };
}

const word = ({ allowed }: Decision, waitedMs: number): "allow" | "wait" | "deny" =>
  !allowed ? "deny" : waitedMs > 0 ? "wait" : "allow";

const decided = (said: string): Attributes => ({ [RATE_LIMIT.decision]: said });

const waited = (waitedMs: number): Attributes => (waitedMs > 0 ? { [RATE_LIMIT.waited]: waitedMs / 1000 } : {});

/** What a limit is about: calls per time or calls at once; or that an operator, or a call that repeats itself, was in the way. */
function kindOf(quota: Quota | undefined, refusal?: Refusal): "rate" | "concurrency" | "block" | "loop" {
  if (refusal?.loop !== undefined) return "loop";
  if (refusal?.isBlock === true) return "block";
  return quota?.algorithm.name === "concurrency" ? "concurrency" : "rate";
}

/** A retry that can never help is left out: it is no number of seconds. */
function numbersOf({ allowed, limit, remaining, retryAfterMs, degraded }: Decision): Attributes {
  return {
    [RATE_LIMIT.limit]: limit,
    [RATE_LIMIT.remaining]: remaining,
    ...(!allowed && retryAfterMs < Infinity && { [RATE_LIMIT.retryAfter]: retryAfterMs / 1000 }),
    ...(degraded && { [RATE_LIMIT.degraded]: true }),
  };
}
