import type { McpResultEvent } from "../../inbound/mcp/results.ts";
import type { McpCall } from "../../policy/call.ts";
import { methodLabel } from "./bounded.ts";
import { family, histogram } from "./family.ts";
import type { RegistryLike } from "./types.ts";

/** Calls that were let through, until they end. */
export interface CallMetrics {
  started(call: McpCall): void;
  ended(event: McpResultEvent): void;
}

/** Those of the semantic conventions of OpenTelemetry for MCP, so that both tell the same. */
const BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

export function callMetrics(
  registry: RegistryLike,
  prefix: string,
  toolLabel: (tool: string | undefined) => string,
): CallMetrics {
  const running = family(registry, {
    name: `${prefix}inflight_calls`,
    help: "Calls that were let through and have not ended.",
    type: "gauge",
    labels: ["tool", "method"],
  });
  const durations = histogram(registry, {
    name: `${prefix}call_duration_seconds`,
    help: "How long calls took that were let through, from the decision to the answer, by how they ended.",
    labels: ["tool", "method", "outcome"],
    buckets: BUCKETS,
  });
  /** As they were when the call began: a tool may become known while it runs. */
  const labelsOf = new WeakMap<McpCall, readonly [tool: string, method: string]>();

  return {
    started(call) {
      const labels = [toolLabel(call.tool), methodLabel(call.method)] as const;
      labelsOf.set(call, labels);
      running.add(labels);
    },
    ended({ call, durationMs, outcome }) {
      const begun = labelsOf.get(call);
      if (labelsOf.delete(call)) running.add(begun!, -1);
      const [tool, method] = begun ?? [toolLabel(call.tool), methodLabel(call.method)];
      durations.observe([tool, method, outcome], durationMs / 1000);
    },
  };
}
