// One trace from an agent to the API behind a tool, and what a limit adds to it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { limitFetch, readRefusal } from "sluice/mcp";
import { withClientAddress } from "sluice/node";
import { createTelemetry } from "sluice/opentelemetry";
import { createUpstreams } from "sluice/outbound";
import { z } from "zod";
import { api, measured, spans } from "./sdk.ts";

const telemetry = createTelemetry({ api });

// The API behind: it hears to which trace a request belongs.
const traceparents: unknown[] = [];
const prices = createServer((request, response) => {
  traceparents.push(request.headers.traceparent);
  response.end("2500");
});
await once(prices.listen(0, "127.0.0.1"), "listening");
const pricesUrl = `http://127.0.0.1:${(prices.address() as AddressInfo).port}/price`;

const upstreams = telemetry.upstreams(createUpstreams({ prices: "1/s" }, { onEvent: telemetry.onEvent }));

function demoServer(): McpServer {
  const server = new McpServer({ name: "demo", version: "1.0.0" });
  server.registerTool("price", { inputSchema: z.object({ id: z.string() }) }, async ({ id }) => {
    const response = await upstreams.prices.fetch(`${pricesUrl}?id=${id}`);
    return { content: [{ type: "text", text: await response.text() }] };
  });
  return server;
}

const limited = limitFetch(createMcpHandler(demoServer).fetch, {
  tools: { price: "2/min" },
  ...telemetry.listeners,
});
const http = createServer(withClientAddress(toNodeHandler({ fetch: telemetry.fetch(limited) })));
await once(http.listen(0, "127.0.0.1"), "listening");

const client = telemetry.client(new Client({ name: "agent", version: "1.0.0" }));
await client.connect(
  new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`)),
);

// The agent asks three times: the API behind allows one call a second, the server two calls a minute.
const agent = api.trace.getTracer("agent").startSpan("agent");
const inAgent = api.trace.setSpan(api.context.active(), agent);
const ask = () => client.callTool({ name: "price", arguments: { id: "eth" } });
const answers = await api.context.with(inAgent, async () => [await ask(), await ask(), await ask()]);
agent.end();
assert.deepEqual(
  answers.map((answer) => readRefusal(answer) !== undefined),
  [false, false, true],
);

// All of it is one trace, and the API behind was told of it.
const { traceId } = agent.spanContext();
const trace = spans.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
const childrenOf = (id: string | undefined) => trace.filter((span) => span.parentSpanContext?.spanId === id);
const seconds = ([s, ns]: readonly [number, number]) => `${(s + ns / 1e9).toFixed(3)} s`;

function print(id: string | undefined, indent: string): void {
  for (const span of childrenOf(id)) {
    const { name, kind, duration, attributes } = span;
    const decision = attributes["rate_limit.decision"] === undefined ? "" : `, ${attributes["rate_limit.decision"]}`;
    console.log(`${indent}${name} (${api.SpanKind[kind].toLowerCase()}, ${seconds(duration)}${decision})`);
    print(span.spanContext().spanId, `${indent}  `);
  }
}
print(undefined, "");
const names = trace.map(({ name }) => name).sort();
assert.deepEqual(names, ["GET", "GET", "agent", ...Array(6).fill("tools/call price"), "wait prices"]);
assert.ok(traceparents.every((sent) => String(sent).includes(traceId)));

const refused = trace.filter(({ attributes }) => attributes["rate_limit.decision"] === "deny");
assert.equal(refused.length, 1);
assert.equal(refused[0]!.attributes["rate_limit.policy"], "tools.price");
console.log(`The third call was refused: try again in ${refused[0]!.attributes["rate_limit.retry_after"]} s.`);

const denied = (await measured("rate_limit.decisions")).filter(
  ({ attributes }) => attributes["rate_limit.decision"] === "deny",
);
assert.deepEqual(
  denied.map(({ attributes, value }) => [attributes["gen_ai.tool.name"], value]),
  [["price", 1]],
);

await client.close();
await upstreams.close();
for (const server of [http, prices]) {
  server.close();
  server.closeAllConnections();
}
