import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer as V1Server } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as V2Server } from "@modelcontextprotocol/server";
import { memoryStore } from "sluice";
import { limitFetch, type McpRateLimitOptions, rateLimit, readRefusal } from "sluice/mcp";
import { createUpstreams } from "sluice/outbound";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { type ClientKind, clientKinds, connect } from "../../inbound/mcp/clients.ts";
import { type Listening, listenWithHandler, listenWithTransport } from "../../inbound/mcp/servers.ts";
import { api, recording } from "./recording.ts";

type Recording = ReturnType<typeof recording>;
type Serve = (
  server: (Server: typeof V1Server | typeof V2Server) => any,
  options: McpRateLimitOptions,
  telemetry: Recording["telemetry"],
) => Promise<Listening>;

/** Every way to serve over HTTP, with the eras of the protocol that it can speak. */
const servings: Record<string, { serve: Serve; eras: readonly ClientKind[] }> = {
  "v2 handler, fetch around limitFetch": {
    serve: (server, options, telemetry) =>
      listenWithHandler(
        () => server(V2Server),
        (fetch) => telemetry.fetch(limitFetch(fetch, options)),
      ),
    eras: clientKinds,
  },
  "v2 handler, server in the factory": {
    serve: (server, options, telemetry) =>
      listenWithHandler(() => telemetry.server(rateLimit(server(V2Server), options))),
    eras: clientKinds,
  },
  "v2 sessions": {
    serve: (server, options, telemetry) =>
      listenWithTransport("v2", () => telemetry.server(rateLimit(server(V2Server), options)), true),
    eras: ["v1", "v2 legacy"],
  },
  "v1 sessions": {
    serve: (server, options, telemetry) =>
      listenWithTransport("v1", () => telemetry.server(rateLimit(server(V1Server), options)), true),
    eras: ["v1", "v2 legacy"],
  },
  "v1 stateless": {
    serve: (server, options, telemetry) =>
      listenWithTransport("v1", () => telemetry.server(rateLimit(server(V1Server), options)), false),
    eras: ["v1", "v2 legacy"],
  },
};

const cells = Object.entries(servings).flatMap(([serving, { serve, eras }]) =>
  eras.map((kind) => ({ serving, serve, kind })),
);

describe.each(cells)("$serving, client $kind", ({ serve, kind }) => {
  const cleanup: (() => unknown)[] = [];
  /** Trace contexts that the API behind was sent. */
  const heard: (string | undefined)[] = [];

  beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
  afterEach(async () => {
    for (const close of cleanup.splice(0).reverse()) await close();
    heard.length = 0;
    vi.restoreAllMocks();
  });

  async function start(options: McpRateLimitOptions = {}) {
    const record = recording();
    const { telemetry, tracer } = record;
    const behind = createServer((request, response) => {
      heard.push(request.headers.traceparent as string);
      response.end("1.23");
    });
    await new Promise<void>((resolve) => behind.listen(0, "127.0.0.1", resolve));
    cleanup.push(() => behind.close());
    const url = `http://127.0.0.1:${(behind.address() as AddressInfo).port}/price?key=secret`;
    const upstreams = telemetry.upstreams(createUpstreams({ prices: "100/s" }, { store: memoryStore() }));
    cleanup.push(() => upstreams.close());

    const server = (Server: typeof V1Server | typeof V2Server) => {
      const made: any = new Server({ name: "test", version: "1.0.0" });
      const schema = { id: z.string() };
      const inputSchema = Server === V1Server ? schema : z.object(schema);
      made.registerTool("price", { inputSchema }, async () => {
        const work = tracer.startSpan("work");
        const response = await upstreams.prices.fetch(url);
        work.end();
        return { content: [{ type: "text", text: await response.text() }] };
      });
      made.registerTool("broken", {}, async () => ({ isError: true, content: [{ type: "text", text: "no" }] }));
      return made;
    };
    const limits = { store: memoryStore(), ...telemetry.listeners, ...options };
    const listening = await serve(server, limits, telemetry);
    cleanup.push(() => listening.close());
    const client = await connect(kind, listening, undefined, telemetry.client);
    cleanup.push(() => client.close());
    /** Calls a tool in a span of its own, as an agent does. */
    const call = (name: string) =>
      tracer.startActiveSpan(`agent ${name}`, async (span) => {
        const result = await client.callTool({ name, arguments: { id: "btc" } });
        span.end();
        return result;
      });
    return { ...record, client, call };
  }

  it("has one trace from the agent to the API behind the tool", async () => {
    const { call, spans } = await start({ perClient: "10/min" });
    expect((await call("price")).content[0].text).toBe("1.23");

    await vi.waitFor(() => expect(spans().filter(({ name }) => name === "tools/call price")).toHaveLength(2));
    const named = (name: string, kind: api.SpanKind) => spans().find((one) => one.name === name && one.kind === kind)!;
    const agent = named("agent price", api.SpanKind.INTERNAL);
    const asked = named("tools/call price", api.SpanKind.CLIENT);
    const served = named("tools/call price", api.SpanKind.SERVER);
    const work = named("work", api.SpanKind.INTERNAL);
    const fetched = named("GET", api.SpanKind.CLIENT);
    expect(asked.parentSpanContext?.spanId).toBe(agent.spanContext().spanId);
    expect(served.parentSpanContext?.spanId).toBe(asked.spanContext().spanId);
    expect(served.parentSpanContext?.isRemote).toBe(true);
    expect(work.parentSpanContext?.spanId).toBe(served.spanContext().spanId);
    expect(fetched.parentSpanContext?.spanId).toBe(served.spanContext().spanId);
    const { traceId } = agent.spanContext();
    expect([asked, served, work, fetched].map((one) => one.spanContext().traceId)).toEqual(Array(4).fill(traceId));
    expect(heard).toEqual([`00-${traceId}-${fetched.spanContext().spanId}-01`]);
    expect(fetched.attributes).toMatchObject({ "http.request.method": "GET", "http.response.status_code": 200 });
    expect(fetched.attributes["url.full"]).not.toContain("secret");
    expect(served.attributes).toMatchObject({
      "mcp.method.name": "tools/call",
      "gen_ai.tool.name": "price",
      "gen_ai.operation.name": "execute_tool",
      "network.transport": "tcp",
      "network.protocol.name": "http",
      "mcp.protocol.version": expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
      "jsonrpc.request.id": expect.any(String),
      "rate_limit.decision": "allow",
      "rate_limit.kind": "rate",
      "rate_limit.limit": 10,
      "rate_limit.remaining": 9,
    });
    expect(served.status.code).toBe(api.SpanStatusCode.UNSET);
  });

  it("has a span of a call that was refused, and says why", async () => {
    const { call, spans, points } = await start({ perClient: "1/min" });
    await call("price");
    const refusal = readRefusal(await call("price"))!;
    const retryAfterMs = refusal.retryAfterMs!;

    const serverSpans = () =>
      spans().filter(({ kind: one, name }) => one === api.SpanKind.SERVER && name === "tools/call price");
    await vi.waitFor(() => expect(serverSpans()).toHaveLength(2));
    const refused = serverSpans()[1]!;
    expect(refused.attributes).toMatchObject({
      "error.type": "tool_error",
      "rate_limit.decision": "deny",
      "rate_limit.remaining": 0,
      "rate_limit.retry_after": retryAfterMs / 1000,
    });
    expect(refused.status.code).toBe(api.SpanStatusCode.ERROR);
    expect(heard).toHaveLength(1);
    const decisions = await points("rate_limit.decisions");
    const counted = (decision: string) =>
      decisions
        .filter(({ attributes }) => attributes["rate_limit.decision"] === decision)
        .reduce((sum, { value }) => sum + value, 0);
    expect([counted("allow"), counted("deny")]).toEqual([1, 1]);
  });

  it("measures how long requests take, by tool and by error", async () => {
    const { client, call, metric, points } = await start();
    await client.listTools();
    await call("price");
    await call("broken");
    await call("made-up").catch(() => {});

    const counts = async () => {
      const all = await points("mcp.server.operation.duration");
      return all
        .filter(({ attributes }) => attributes["mcp.method.name"] === "tools/call")
        .map(({ attributes: { "gen_ai.tool.name": tool, "error.type": error }, value }) => [tool, error, value.count]);
    };
    await vi.waitFor(async () => expect(await counts()).toHaveLength(3));
    expect(await counts()).toEqual(
      expect.arrayContaining([
        ["price", undefined, 1],
        ["broken", "tool_error", 1],
        ["_OTHER", expect.stringMatching(/^(tool_error|-32602)$/), 1],
      ]),
    );
    const { descriptor } = (await metric("mcp.server.operation.duration"))!;
    expect(descriptor).toMatchObject({ unit: "s" });
    expect((await points("mcp.server.operation.duration"))[0].value.buckets.boundaries).toEqual([
      0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300,
    ]);
    expect(await points("mcp.client.operation.duration")).not.toEqual([]);
    const attributes = (await points("mcp.server.operation.duration")).flatMap((point) =>
      Object.keys(point.attributes),
    );
    expect(attributes).not.toContain("mcp.session.id");
    expect(attributes).not.toContain("jsonrpc.request.id");
  });
});
