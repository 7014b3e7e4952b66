import type { McpGate } from "../../inbound/mcp/gate.ts";
import type { AdaptEvent, McpDecisionEvent } from "../../inbound/mcp/options.ts";
import type { McpResultEvent } from "../../inbound/mcp/results.ts";
import type { McpWaitingEvent } from "../../inbound/mcp/waiting.ts";
import type { Decision } from "../../limiter/decision.ts";
import { bounded, listed, methodLabel, type Names } from "./bounded.ts";
import { callMetrics } from "./call-metrics.ts";
import { family, histogram } from "./family.ts";
import type { RegistryLike } from "./types.ts";

/** Listeners for gates and limiters, and what else is told of them. */
export interface GateMetrics {
  onDecision(event: McpDecisionEvent): void;
  onWaiting(event: McpWaitingEvent): void;
  readonly onResult?: (event: McpResultEvent) => void;
  onAdapt(event: AdaptEvent): void;
  /** A listener for `onDecision` of a limiter or an HTTP guard. `name` is what stands for the policy, which they do not have. */
  decisionsOf(name: string): (event: DecisionLike) => void;
  /** The limits of a gate, as they are when somebody looks. */
  observeLimits(limits: () => McpGate["limits"]): void;
}

/** What listeners of limiters and of HTTP guards hear. */
export interface DecisionLike {
  readonly decision: Decision;
  readonly decisions?: readonly Decision[];
}

export interface GateMetricsOptions {
  readonly registry: RegistryLike;
  readonly prefix: string;
  readonly tools: Names | undefined;
  readonly maxTools: number;
  readonly results: boolean;
}

const MOST_POLICIES = 500;
const MOST_TIERS = 50;

const UTILIZATION = [0.25, 0.5, 0.75, 0.9, 1];
const DECIDING = [0.000_01, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const WAITING = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function gateMetrics({ registry, prefix, tools, maxTools, results }: GateMetricsOptions): GateMetrics {
  const decided = family(registry, {
    name: `${prefix}decisions_total`,
    help: "Decisions on calls, by what was decided and by the policy that decided.",
    type: "counter",
    labels: ["decision", "kind", "policy", "tool", "method", "tier"],
  });
  const degraded = family(registry, {
    name: `${prefix}degraded_decisions_total`,
    help: "Decisions that were made without the store that should have decided.",
    type: "counter",
    labels: ["decision"],
  });
  const utilization = histogram(registry, {
    name: `${prefix}utilization_ratio`,
    help: "The part of a limit that is used once a call was decided about, for whoever called; 1 for a refusal.",
    labels: ["policy", "mode"],
    buckets: UTILIZATION,
  });
  const deciding = histogram(registry, {
    name: `${prefix}decision_duration_seconds`,
    help: "How long decisions took, the time in line not included.",
    labels: ["mode"],
    buckets: DECIDING,
  });
  const waits = histogram(registry, {
    name: `${prefix}wait_seconds`,
    help: "How long calls waited, by how that ended.",
    labels: ["policy", "reason", "outcome"],
    buckets: WAITING,
  });
  const queue = family(registry, {
    name: `${prefix}queue_depth`,
    help: "Calls that wait now.",
    type: "gauge",
    labels: ["policy", "reason"],
  });
  const levels = new Map<string, number>();
  const adapted = family(registry, {
    name: `${prefix}adaptive_level_ratio`,
    help: "The part of its limit that holds now, of a policy that adapts itself to the server.",
    type: "gauge",
    labels: ["policy"],
    aggregator: "average",
  });
  adapted.from(() => [...levels].map(([policy, level]) => [[policy], level]));
  const limits = family(registry, {
    name: `${prefix}limit`,
    help: "The units that a limit allows.",
    type: "gauge",
    labels: ["policy", "quota", "mode"],
    aggregator: "max",
  });

  /** Without a list: tools with a limit of their own, which the server has named. */
  const limited = new Set<string>();
  const toolLabel = listed(tools ?? ((name) => limited.has(name)), maxTools);
  const policyLabel = bounded(MOST_POLICIES);
  const tierLabel = bounded(MOST_TIERS);
  const calls = results ? callMetrics(registry, prefix, toolLabel) : undefined;

  function use(policy: string, mode: string, { allowed, limit, remaining }: Decision): void {
    if (limit > 0) utilization.observe([policy, mode], allowed ? 1 - remaining / limit : 1);
  }

  return {
    onDecision({ call, tier, mode, decision, decisions, waitedMs, tookMs, refusal }) {
      const { tool, method } = call;
      const binding = decisions.find((one) => one.decision === decision);
      if (tools === undefined && tool !== undefined) {
        if (decisions.some(({ policy }) => policy === `tools.${tool}`)) limited.add(tool);
      }
      const what = outcomeOf(mode, decision.allowed, waitedMs);
      const policy = policyLabel(binding?.policy ?? decision.quota);
      const kind = refusal?.loop !== undefined ? "loop" : (KINDS[binding?.quota.algorithm.name ?? ""] ?? "rate");
      decided.add([what, kind, policy, toolLabel(tool), methodLabel(method), tierLabel(tier)]);
      if (decision.degraded) degraded.add([what]);
      if (kind !== "loop") for (const one of decisions) use(policyLabel(one.policy), mode, one.decision);
      deciding.observe([mode], tookMs / 1000);
      if (mode === "enforce" && decision.allowed) calls?.started(call);
    },
    onWaiting({ policy: name, reason, state, waitedMs }) {
      const policy = policyLabel(name);
      queue.add([policy, reason], state === "waiting" ? 1 : -1);
      if (state !== "waiting") waits.observe([policy, reason, state], waitedMs / 1000);
    },
    ...(calls && { onResult: calls.ended }),
    onAdapt({ policy, level }) {
      levels.set(policyLabel(policy), level);
    },
    decisionsOf(name) {
      const policy = policyLabel(name);
      return ({ decision, decisions = [decision] }) => {
        const what = outcomeOf("enforce", decision.allowed, 0);
        decided.add([what, decision.limit === 0 ? "block" : "rate", policy, "", "", ""]);
        if (decision.degraded) degraded.add([what]);
        for (const one of decisions) use(policy, "enforce", one);
      };
    },
    observeLimits(read) {
      limits.from(() =>
        read().map(({ policy, quota, mode }) => [[policyLabel(policy), quota.name, mode], quota.limit]),
      );
    },
  };
}

/** Kinds of limits, by their algorithms. */
const KINDS: Readonly<Record<string, string>> = { concurrency: "concurrency", block: "block" };

function outcomeOf(mode: McpDecisionEvent["mode"], allowed: boolean, waitedMs: number): string {
  if (mode === "shadow") return allowed ? "shadow_allow" : "shadow_deny";
  if (!allowed) return "deny";
  return waitedMs > 0 ? "wait" : "allow";
}
