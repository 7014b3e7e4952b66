// A server that uses the library, with something in every metric: it works until it is killed. Says the port of its metrics.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { collectDefaultMetrics, Registry } from "prom-client";
import { createLimiter, fallback, leased, memoryStore, type Store } from "sluice";
import { createMcpGate } from "sluice/mcp";
import { createUpstreams } from "sluice/outbound";
import { createMetrics } from "sluice/prometheus";

const registry = new Registry();
collectDefaultMetrics({ register: registry });
const metrics = createMetrics({ registry, tools: ["search", "build", "slow"] });

const gate = createMcpGate({
  store: metrics.observeStore(memoryStore(), "memory"),
  tools: { search: "20/s", build: "5/s", slow: { quota: "10/s", concurrency: 2 } },
  policies: [
    { name: "trial", match: { tool: "search" }, quota: "2/s", mode: "shadow" },
    { name: "careful", match: { tool: "slow" }, quota: "100/s", adapt: true },
  ],
  tier: (call) => (call.tool === "search" ? "pro" : "free"),
  wait: { maxWaitMs: 300 },
  loops: { allow: ["slow", "build"], slowMs: 50 },
  ...metrics.listeners,
});
metrics.observeLimits(() => gate.limits);

/** Fails now and then. */
const memory = memoryStore();
let asked = 0;
const flaky: Store = {
  forget: (accounts) => memory.forget(accounts),
  take: async (demands, options) => {
    asked++;
    if (asked % 5 === 0) throw Object.assign(new Error("down"), { code: "ECONNREFUSED" });
    return memory.take(demands, options);
  },
};
const safe = metrics.observeStats(fallback(metrics.observeStore(flaky, "flaky"), "open"), "flaky");
const guarded = createMcpGate({ store: safe, perClient: "1000/s", ...metrics.listeners });

const shared: Store = { ...flaky, take: async (demands, options) => memory.take(demands, options) };
const lease = metrics.observeStore(leased(metrics.observeStore(shared, "shared")), "leased");
const busy = createLimiter({ quota: "600000/min", store: lease, onDecision: metrics.decisionsOf("busy") });

let answers = 0;
const api = createServer((_request, response) => {
  const status = [200, 200, 503, 200, 429][answers++ % 5]!;
  response.writeHead(status, status === 429 ? { "Retry-After": "0" } : {}).end("{}");
});
await once(api.listen(0, "127.0.0.1"), "listening");
const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}/`;
const upstreams = metrics.observeUpstreams(
  createUpstreams(
    { api: { limit: "20/s", retry: { attempts: 2 }, breaker: {}, maxWaitMs: 500 } },
    { onEvent: metrics.onEvent },
  ),
);

let id = 0;
async function call(tool: string, method = "tools/call") {
  const request = { jsonrpc: "2.0", id: ++id, method, params: { name: tool, arguments: { q: id % 3 } } } as const;
  const origin = { connection: `client-${id % 4}` };
  const deciding = tool === "guarded" ? guarded : gate;
  const admission = await deciding.admit([request], origin);
  if (admission.refusal !== undefined) return;
  await new Promise((resolve) => setTimeout(resolve, 20));
  if (tool === "slow") deciding.sawFailure(request);
  else deciding.sawAnswer(request, origin, id % 7 === 0 ? { isError: true } : { content: [] });
  admission.finish();
}

async function work(): Promise<void> {
  for (const tool of ["search", "search", "build", "build", "slow", "made-up", "guarded"]) void call(tool);
  void call("x", "prompts/get");
  for (let i = 0; i < 50; i++) void busy.consume(`key-${i % 3}`);
  for (let i = 0; i < 3; i++) void upstreams.api.fetch(url).catch(() => {});
  void upstreams.api.fetch(url, {}, { key: "same" }).catch(() => {});
  void upstreams.api.fetch(url, {}, { maxWaitMs: 0 }).catch(() => {});
}

setInterval(work, 100);

const server = createServer(async (_request, response) => {
  response.setHeader("Content-Type", registry.contentType);
  response.end(await registry.metrics());
});
await once(server.listen(0, "127.0.0.1"), "listening");
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
// Whoever started it has gone.
process.stdin.resume().on("end", () => process.exit(0));
