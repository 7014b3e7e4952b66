import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { connect } from "../../../sluice/test/inbound/mcp/clients.ts";
import { type Collector, startCollector } from "../../../sluice/test/observe/opentelemetry/collector.ts";
import { type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";
import { startMain } from "./start-main.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const server = fileURLToPath(new URL("../../../sluice/test/inbound/mcp/stdio-server.ts", import.meta.url));
const TRACE = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const meta = { traceparent: `00-${TRACE.traceId}-${TRACE.spanId}-01` };
const call = (id: number, name: string) =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: {}, _meta: meta } });

const children: ChildProcess[] = [];
let collector: Collector;
let upstream: Recorder;

beforeEach(async () => {
  collector = await startCollector();
  upstream = await startRecorder();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all([collector.close(), upstream.close()]);
});

const to = (endpoint: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_SERVICE_NAME: "edge",
  OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test",
});

async function start(env: object, args: readonly string[] = []) {
  const started = await startMain(["--upstream", upstream.url.href, "--tool", "search=1/h", ...args], env);
  children.push(started.child);
  const stop = async () => {
    const exited = once(started.child, "exit");
    started.child.kill("SIGTERM");
    return exited;
  };
  return { ...started, stop };
}

it("sends spans in the client's trace, and metrics, before it ends; the bytes of calls stay as they are", async () => {
  const { url, stop } = await start(to(collector.endpoint));
  const headers = { "Mcp-Protocol-Version": "2025-11-25", "Mcp-Session-Id": "session-1" };
  await send(url, call(1, "search"), { headers });
  await send(url, call(2, "search"), { headers });
  expect(await stop()).toEqual([0, null]);

  expect(upstream.received.map(({ body }) => body.toString())).toEqual([call(1, "search")]);
  const spans = collector.spans.filter(({ name }) => name === "tools/call search");
  expect(spans).toHaveLength(2);
  for (const span of spans) {
    expect(span).toMatchObject({ traceId: TRACE.traceId, parentSpanId: TRACE.spanId, kind: 2 });
    expect(span.resource).toMatchObject({ "service.name": "edge", "deployment.environment": "test" });
    expect(span.attributes).toMatchObject({
      "mcp.protocol.version": "2025-11-25",
      "mcp.session.id": "session-1",
      "network.transport": "tcp",
      "rate_limit.policy": "tools.search",
    });
  }
  expect(spans.map(({ attributes }) => [attributes["rate_limit.decision"], attributes["error.type"]])).toEqual([
    ["allow", undefined],
    ["deny", "tool_error"],
  ]);
  const metric = (name: string) => collector.metrics.findLast((one) => one.name === name)?.points ?? [];
  const counts = metric("rate_limit.decisions").map(({ attributes, asDouble }) => [
    attributes["rate_limit.decision"],
    asDouble,
  ]);
  expect(counts).toEqual([
    ["allow", 1],
    ["deny", 1],
  ]);
  expect(metric("mcp.server.operation.duration")).toHaveLength(2);
});

it("names the error of a server that does not answer", async () => {
  upstream.answer = (_request, response) => void response.writeHead(503).end();
  const { url, stop } = await start(to(collector.endpoint));
  await send(url, call(1, "search"));
  await stop();
  expect(collector.spans.map(({ name, attributes }) => [name, attributes["error.type"]])).toEqual([
    ["tools/call", "no_answer"],
  ]);
});

it("sends protobuf unless it is told otherwise, under the name sluice", async () => {
  const { url, stop } = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
  await send(url, call(1, "search"));
  await stop();
  expect(collector.requests).toEqual(
    expect.arrayContaining([
      { path: "/v1/traces", type: "application/x-protobuf" },
      { path: "/v1/metrics", type: "application/x-protobuf" },
    ]),
  );
});

it("does not wait longer for a collector that hangs than it may drain", async () => {
  const hanging = createServer(() => {});
  await once(hanging.listen(0, "127.0.0.1"), "listening");
  const { url, stop, logged } = await start(to(`http://127.0.0.1:${(hanging.address() as AddressInfo).port}`), [
    "--drain",
    "1s",
  ]);
  await send(url, call(1, "search"));
  const told = logged("could not be sent in time");
  expect(await stop()).toEqual([0, null]);
  expect((await told).withinMs).toBe(1_000);
  hanging.closeAllConnections();
  hanging.close();
});

it("tells once that there is no collector, and goes on", async () => {
  const { url, logged } = await start({ ...to("http://127.0.0.1:9"), OTEL_BSP_SCHEDULE_DELAY: "50" });
  await send(url, call(1, "search"));
  expect((await logged("telemetry cannot be sent")).detail).toMatch(/ECONNREFUSED/);
  expect((await send(url, call(2, "other"))).status).toBe(200);
});

it("does the same in front of a server over stdio", async () => {
  const env = Object.entries(to(collector.endpoint)).map(([name, value]) => `${name}=${value}`);
  const behind = [process.execPath, "--no-warnings", server, "v2"];
  const gateway = [
    process.execPath,
    "--no-warnings",
    main,
    "--log-level",
    "silent",
    "--tool",
    "echo=1/h",
    "--",
    ...behind,
  ];
  const client = await connect("v1", { command: "env", args: [...env, ...gateway] });
  const echo = () => client.callTool({ name: "echo", arguments: { text: "hi" }, _meta: meta });
  await echo();
  await echo();
  await client.close();
  const spans = () => collector.spans.filter(({ name }) => name === "tools/call echo");
  await expect.poll(() => spans().length, { timeout: 20_000 }).toBe(2);
  expect(spans().map(({ traceId, parentSpanId, attributes }) => [traceId, parentSpanId, attributes])).toEqual([
    [
      TRACE.traceId,
      TRACE.spanId,
      expect.objectContaining({ "network.transport": "pipe", "rate_limit.decision": "allow" }),
    ],
    [TRACE.traceId, TRACE.spanId, expect.objectContaining({ "rate_limit.decision": "deny" })],
  ]);
  expect(spans()[0]!.attributes["mcp.protocol.version"]).toMatch(/^\d{4}-/);
});
