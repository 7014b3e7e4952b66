/** Calls that somebody, or nobody, is told of, as a process that makes them when it is asked. */
import { Registry } from "prom-client";
import { memoryStore } from "sluice";
import { createMcpGate, type McpGate, type McpRateLimitOptions } from "sluice/mcp";
import { createUpstreams, type OutboundListener } from "sluice/outbound";
import { answerQuestions } from "../worker.ts";

/** Nobody listens; somebody listens to others in the same process; metrics listen. */
export type Who = "nobody" | "others" | "metrics";

const who = process.argv[2] as Who;
const tools = { search: "100000000/min" };
const CLIENTS = 1_000;

const gateWith = (listeners: McpRateLimitOptions) => createMcpGate({ store: memoryStore(), tools, ...listeners });
const upstreamWith = (onEvent?: OutboundListener) =>
  createUpstreams({ api: "100000000/min" }, { store: memoryStore(), ...(onEvent && { onEvent }) }).api;

const { createMetrics } = who === "nobody" ? {} : await import("sluice/prometheus");
const metrics = createMetrics?.({ registry: new Registry(), tools: ["search"] });
const isWatched = who === "metrics";
const gate = gateWith(isWatched ? metrics!.listeners : {});
const upstream = upstreamWith(isWatched ? metrics!.onEvent : undefined);
const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "search", arguments: {} } } as const;

/** Over memory a gate decides at once. */
function decide(asked: McpGate, calls: number): void {
  for (let i = 0; i < calls; i++) {
    const one = { ...request };
    const admission = asked.admit([one], { connection: `c${i % CLIENTS}` });
    if ("then" in admission) throw new Error("The gate does not answer at once.");
    asked.sawAnswer(one, {}, {});
    admission.finish();
  }
}

async function callOut(asked: typeof upstream, calls: number): Promise<void> {
  for (let i = 0; i < calls; i++) await asked.run(async () => i);
}

// So that the code of both is optimised for both.
if (who === "others") {
  decide(gateWith(metrics!.listeners), 50_000);
  await callOut(upstreamWith(metrics!.onEvent), 50_000);
}

/** Microseconds of CPU per call. */
answerQuestions(async ({ what, calls }: { what: "decisions" | "calls out"; calls: number }) => {
  const begin = process.cpuUsage();
  if (what === "decisions") decide(gate, calls);
  else await callOut(upstream, calls);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / calls;
});
