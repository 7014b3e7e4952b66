import { afterEach, expect, it } from "vitest";
import { type ClientKind, clientKinds, connect } from "../../inbound/mcp/clients.ts";
import { type Collector, startCollector } from "./collector.ts";
import { TRACE } from "./recording.ts";

const KIND_SERVER = 2;
const cells = [
  ...clientKinds.map((kind) => ["v2", kind] as const),
  ...(["v1", "v2 legacy"] as const).map((kind) => ["v1", kind] as const),
];

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(generation: string, kind: ClientKind): Promise<{ collector: Collector; client: any }> {
  const collector = await startCollector();
  cleanup.push(() => collector.close());
  const args = ["--no-warnings", `${import.meta.dirname}/traced-stdio-server.ts`, generation, collector.endpoint];
  const client = await connect(kind, { command: process.execPath, args });
  cleanup.push(() => client.close());
  return { collector, client };
}

it.each(cells)(
  "sends spans and metrics of a %s server over stdio to a collector, client %s",
  async (generation, kind) => {
    const { collector, client } = await start(generation, kind);
    const call = () => client.callTool({ name: "echo", arguments: { text: "hi" }, _meta: TRACE.meta });
    await call();
    await call();

    const calls = () => collector.spans.filter(({ name }) => name === "tools/call echo");
    await expect.poll(() => calls().length, { timeout: 20_000 }).toBe(2);
    for (const span of calls()) {
      expect(span).toMatchObject({ kind: KIND_SERVER, traceId: TRACE.traceId, parentSpanId: TRACE.spanId });
      expect(span.attributes).toMatchObject({ "gen_ai.tool.name": "echo", "network.transport": "pipe" });
    }
    // Each is sent by itself, and may overtake the other.
    const decisions = calls().map(({ attributes }) => attributes["rate_limit.decision"]);
    expect(decisions.sort()).toEqual(["allow", "deny"]);

    const metric = (name: string) => collector.metrics.findLast((one) => one.name === name);
    await expect
      .poll(() => metric("mcp.server.operation.duration")?.points.length ?? 0, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(2);
    const failed = metric("mcp.server.operation.duration")!.points.find(
      ({ attributes }) => attributes["error.type"] === "tool_error",
    );
    expect(failed).toMatchObject({
      count: 1,
      explicitBounds: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
      attributes: { "mcp.method.name": "tools/call", "gen_ai.tool.name": "echo" },
    });
    expect(metric("rate_limit.decisions")?.unit).toBe("{decision}");
  },
);
