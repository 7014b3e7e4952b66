import { DECISION_BUCKETS, DURATION_BUCKETS, UTILIZATION_BUCKETS } from "./conventions.ts";
import type { CounterLike, HistogramLike, MeterLike } from "./types.ts";

/** What is measured. */
export interface Instruments {
  readonly serverDuration: HistogramLike;
  readonly clientDuration: HistogramLike;
  readonly decisions: CounterLike;
  readonly utilization: HistogramLike;
  readonly waits: HistogramLike;
  readonly waiting: CounterLike;
  readonly durations: HistogramLike;
}

export function instrumentsOf(meter: MeterLike): Instruments {
  const seconds = (name: string, description: string, buckets = DURATION_BUCKETS) =>
    meter.createHistogram(name, { unit: "s", description, advice: { explicitBucketBoundaries: [...buckets] } });
  return {
    serverDuration: seconds(
      "mcp.server.operation.duration",
      "Duration of an MCP request as observed by the server, from its receipt until the answer is sent.",
    ),
    clientDuration: seconds(
      "mcp.client.operation.duration",
      "Duration of an MCP request as observed by the client, from its sending until the answer is received.",
    ),
    decisions: meter.createCounter("rate_limit.decisions", {
      unit: "{decision}",
      description: "Decisions on calls, by what was decided and which limit mattered most.",
    }),
    utilization: meter.createHistogram("rate_limit.utilization", {
      unit: "1",
      description: "Part of a limit that was used after a decision, for the key that was decided about.",
      advice: { explicitBucketBoundaries: [...UTILIZATION_BUCKETS] },
    }),
    waiting: meter.createUpDownCounter("rate_limit.waiting", {
      unit: "{call}",
      description: "Calls that stand in line now.",
    }),
    durations: seconds(
      "rate_limit.decision.duration",
      "Time that decisions took, who calls and the store included, the time in line not.",
      DECISION_BUCKETS,
    ),
    waits: seconds("rate_limit.wait.duration", "Time that calls stood in line because of a limit."),
  };
}
