import { createLimiter, memoryStore } from "sluice";
import { createOverrides, limitTool, limitTransport, type McpRateLimitOptions } from "sluice/mcp";
import type { OpenTelemetryOptions } from "sluice/opentelemetry";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { api, recording, TRACE } from "./recording.ts";

/** A server's transport whose both ends are lists, traced, and behind limits if there are some. */
function setup(limits?: McpRateLimitOptions, options?: OpenTelemetryOptions) {
  const record = recording(options);
  const delivered: any[] = [];
  const transport: any = { send: async () => {}, close: async () => {} };
  record.telemetry.serverTransport(transport);
  const { onDecision, onWaiting } = record.telemetry;
  if (limits !== undefined) limitTransport(transport, { onDecision, onWaiting, ...limits });
  transport.onmessage = (message: any) => void delivered.push({ message, span: api.trace.getActiveSpan() });
  transport.onclose = () => {};
  const receive = (message: object, extra?: object) => transport.onmessage({ jsonrpc: "2.0", ...message }, extra);
  const call = (id: number, name = "echo", meta: object = {}) =>
    receive({ id, method: "tools/call", params: { name, arguments: {}, _meta: meta } });
  const answer = (id: number, result: object = { content: [] }) => transport.send({ jsonrpc: "2.0", id, result });
  return { ...record, transport, delivered, receive, call, answer };
}

describe("the trace of a client", () => {
  it("is the parent, and the active span is linked", async () => {
    const { call, answer, span, tracer } = setup();
    const http = tracer.startSpan("POST");
    api.context.with(api.trace.setSpan(api.context.active(), http), () => call(1, "echo", TRACE.meta));
    await answer(1);
    const served = span("tools/call echo");
    expect(served.parentSpanContext).toMatchObject({ traceId: TRACE.traceId, spanId: TRACE.spanId, isRemote: true });
    expect(served.links.map(({ context }) => context.spanId)).toEqual([http.spanContext().spanId]);
  });

  it("is only linked if clients are not to be trusted", async () => {
    const { call, answer, span } = setup(undefined, { clientTrace: "link" });
    call(1, "echo", TRACE.meta);
    await answer(1);
    const served = span("tools/call echo");
    expect(served.parentSpanContext).toBeUndefined();
    expect(served.spanContext().traceId).not.toBe(TRACE.traceId);
    expect(served.links.map(({ context }) => context.spanId)).toEqual([TRACE.spanId]);
  });

  it("comes with its state and its baggage", async () => {
    const { telemetry } = setup();
    const meta = { ...TRACE.meta, tracestate: "rojo=1", baggage: "tenant=acme" };
    const { context } = telemetry.received(
      { jsonrpc: "2.0", id: 1, method: "ping", params: { _meta: meta } },
      { isHttp: false },
    );
    expect(api.propagation.getBaggage(context)?.getEntry("tenant")?.value).toBe("acme");
    expect(api.trace.getSpanContext(context)?.traceState?.serialize()).toBe("rojo=1");
  });

  it.each([
    ["no object", "nonsense"],
    ["null", null],
    ["numbers", { traceparent: 1, tracestate: [], baggage: 7 }],
    ["what is no trace", { traceparent: "00-xyz-abc-01" }],
    ["more than anybody sends", { traceparent: TRACE.meta.traceparent, baggage: `a=${"b".repeat(10_000)}` }],
  ])("may be %s", async (_what, meta: any) => {
    const { call, answer, span, delivered } = setup();
    call(1, "echo", meta);
    await answer(1);
    expect(delivered).toHaveLength(1);
    expect(span("tools/call echo").ended).toBe(true);
  });

  it("is the active span if the client sends none", async () => {
    const { call, answer, span, tracer } = setup();
    const http = tracer.startSpan("POST");
    api.context.with(api.trace.setSpan(api.context.active(), http), () => call(1));
    await answer(1);
    expect(span("tools/call echo").parentSpanContext?.spanId).toBe(http.spanContext().spanId);
    expect(span("tools/call echo").links).toEqual([]);
  });
});

describe("a span of a request", () => {
  it("is active while the server handles it", async () => {
    const { call, answer, span, delivered } = setup();
    call(1);
    await answer(1);
    expect(delivered[0].span.spanContext().spanId).toBe(span("tools/call echo").spanContext().spanId);
    expect(api.trace.getActiveSpan()).toBeUndefined();
  });

  it("has the error of the answer", async () => {
    const { receive, transport, span } = setup();
    receive({ id: 1, method: "resources/read", params: { uri: "note://1" } });
    await transport.send({ jsonrpc: "2.0", id: 1, error: { code: -32_002, message: "Resource not found" } });
    expect(span("resources/read")).toMatchObject({
      attributes: {
        "error.type": "-32002",
        "rpc.response.status_code": "-32002",
        "mcp.resource.uri": "note://1",
        "network.transport": "pipe",
      },
      status: { code: api.SpanStatusCode.ERROR, message: "Resource not found" },
    });
  });

  it("knows the prompt, and the revision that was agreed on", async () => {
    const { receive, answer, span, transport } = setup();
    receive({ id: 1, method: "initialize", params: { protocolVersion: "2099-01-01" } });
    await answer(1, { protocolVersion: "2025-11-25", serverInfo: { name: "test" } });
    transport.sessionId = "session-1";
    receive({ id: 2, method: "prompts/get", params: { name: "hello" } });
    await answer(2, { messages: [] });
    expect(span("initialize").attributes["mcp.protocol.version"]).toBe("2025-11-25");
    expect(span("prompts/get hello").attributes).toMatchObject({
      "gen_ai.prompt.name": "hello",
      "mcp.protocol.version": "2025-11-25",
      "mcp.session.id": "session-1",
    });
    expect(span("prompts/get hello").attributes["gen_ai.operation.name"]).toBeUndefined();
  });

  it("ends when the request is cancelled, and when the connection closes", () => {
    const { call, receive, transport, spans } = setup();
    call(1);
    call(2);
    receive({ method: "notifications/cancelled", params: { requestId: 1 } });
    expect(spans().map(({ attributes }) => attributes["error.type"])).toEqual(["cancelled"]);
    transport.onclose();
    expect(spans().map(({ attributes }) => attributes["error.type"])).toEqual(["cancelled", "connection_closed"]);
    expect(spans().map(({ attributes }) => attributes["jsonrpc.request.id"])).toEqual(["1", "2"]);
  });

  it("of an id that is used again ends with the first request", async () => {
    const { call, answer, spans } = setup();
    call(1);
    call(1);
    await answer(1);
    expect(spans().map(({ attributes }) => attributes["error.type"])).toEqual(["cancelled", undefined]);
  });
});

describe("names that clients make up", () => {
  it("are in no metric and in no name of a span", async () => {
    const { call, receive, answer, spans, points } = setup({ store: memoryStore(), tools: { "*": "1/min" } });
    for (let id = 0; id < 20; id++) {
      call(id, `made-up-${id}`);
      await answer(id, { isError: true, content: [] });
    }
    receive({ id: 99, method: "made/up" });
    await answer(99, { isError: true });
    expect(new Set(spans().map(({ name }) => name))).toEqual(new Set(["tools/call", "mcp request"]));
    const measured = [...(await points("mcp.server.operation.duration")), ...(await points("rate_limit.decisions"))];
    expect(JSON.stringify(measured.map(({ attributes }) => attributes))).not.toMatch(/made/);
  });

  it("become known when the server lists them, or answers", async () => {
    const { call, receive, answer, span, points } = setup(undefined, { tools: ["from-the-start"] });
    receive({ id: 1, method: "tools/list" });
    await answer(1, { tools: [{ name: "listed" }, null, { name: 7 }] });
    for (const [id, name] of [
      [2, "listed"],
      [3, "from-the-start"],
    ] as const) {
      call(id, name);
      await answer(id, { isError: true, content: [] });
    }
    call(4, "answers");
    await answer(4);
    call(5, "comes-again");
    await answer(5, { resultType: "input_required", requestState: "x" });
    for (const name of ["listed", "from-the-start", "answers"]) expect(span(`tools/call ${name}`)).toBeDefined();
    const tools = (await points("mcp.server.operation.duration")).map((one) => one.attributes["gen_ai.tool.name"]);
    expect(new Set(tools)).toEqual(new Set([undefined, "listed", "from-the-start", "answers", "_OTHER"]));
  });

  it("are not learned without end", async () => {
    const { receive, answer, points, call } = setup();
    receive({ id: 1, method: "tools/list" });
    await answer(1, { tools: Array.from({ length: 5000 }, (_, i) => ({ name: `tool-${i}` })) });
    for (const [id, name] of [
      [2, "tool-999"],
      [3, "tool-1000"],
    ] as const) {
      call(id, name);
      await answer(id);
    }
    const tools = (await points("mcp.server.operation.duration")).map((one) => one.attributes["gen_ai.tool.name"]);
    expect(new Set(tools)).toEqual(new Set([undefined, "tool-999", "_OTHER"]));
  });
});

describe("decisions", () => {
  it("say on a span how long the call waited, and measure it", async () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    const { call, answer, span, spans, delivered, points } = setup({
      store,
      perClient: "1/10s",
      wait: { maxWaitMs: 20_000 },
    });
    call(1, "first");
    await answer(1);
    call(2, "second");
    const inLine = async () => (await points("rate_limit.waiting")).map(({ attributes, value }) => [attributes, value]);
    const line = { "rate_limit.policy": "perClient", "rate_limit.wait.reason": "limit" };
    expect(await inLine()).toEqual([[line, 1]]);
    await clock.advance(10_000);
    await expect.poll(() => delivered.length).toBe(2);
    await answer(2);
    expect(spans()).toHaveLength(2);
    expect(span("tools/call second").attributes).toMatchObject({
      "rate_limit.decision": "wait",
      "rate_limit.waited": 10,
      "rate_limit.policy": "perClient",
    });
    expect(span("tools/call second").events).toMatchObject([{ name: "rate_limit.waiting", attributes: line }]);
    expect(await inLine()).toEqual([[line, 0]]);
    expect((await points("rate_limit.wait.duration")).map(({ value }) => value.sum)).toEqual([10]);
  });

  it("measure how much of each limit is used", async () => {
    const { call, answer, points } = setup({ store: memoryStore(), perClient: "4/min", tools: { echo: "2/min" } });
    call(1);
    await answer(1);
    const used = (await points("rate_limit.utilization")).map(({ value }) => value.sum);
    expect(used.sort()).toEqual([0.25, 0.5]);
  });

  it("of limits on trial have names of their own, and change nothing", async () => {
    const { call, answer, spans, points } = setup({ store: memoryStore(), perClient: "1/min", mode: "shadow" });
    for (const id of [1, 2]) {
      call(id);
      await answer(id);
    }
    expect(spans()[1]!.attributes).toMatchObject({
      "rate_limit.shadow.decision": "deny",
      "rate_limit.shadow.policy": "perClient",
    });
    expect(spans()[1]!.attributes["rate_limit.decision"]).toBeUndefined();
    const said = (await points("rate_limit.decisions")).map((one) => one.attributes["rate_limit.decision"]);
    expect(said.sort()).toEqual(["shadow_allow", "shadow_deny"]);
  });

  it("say which kind of limit it was", async () => {
    const store = memoryStore();
    const overrides = createOverrides({ store });
    const { call, spans, span, transport, answer } = setup({
      store,
      client: ({ params }) => String(params.name),
      perClient: "100/min",
      tools: { crowd: { quota: "9/min", concurrency: 1 } },
      loops: { warnAfter: 2 },
      overrides,
    });
    await overrides.set({ limit: "perClient", client: "blocked", quota: "blocked", until: Date.now() + 60_000 });
    call(1, "crowd");
    call(2, "crowd");
    call(3, "blocked");
    for (const id of [4, 5, 6]) {
      call(id, "again");
      await answer(id);
    }
    transport.onclose();
    overrides.close();
    const kinds = Object.fromEntries(
      spans()
        .filter(({ attributes }) => attributes["rate_limit.decision"] === "deny")
        .map(({ attributes }) => [attributes["jsonrpc.request.id"], attributes["rate_limit.kind"]]),
    );
    expect(kinds).toEqual({ 2: "concurrency", 3: "block", 6: "loop" });
    expect(() => span("tools/call blocked")).toThrow("0 spans");
  });

  it("never name a client", async () => {
    const { call, answer, spans, points } = setup({
      store: memoryStore(),
      client: () => "customer-4711",
      perClient: "1/min",
      tools: { echo: "5/min" },
    });
    for (const id of [1, 2]) {
      call(id);
      await answer(id);
    }
    const names = [
      "mcp.server.operation.duration",
      "rate_limit.decisions",
      "rate_limit.utilization",
      "rate_limit.decision.duration",
    ];
    const measured = await Promise.all(names.map((name) => points(name)));
    expect(measured.every((list) => list.length > 0)).toBe(true);
    const all = [
      ...spans().map(({ attributes }) => attributes),
      ...measured.flat().map(({ attributes }) => attributes),
    ];
    expect(JSON.stringify(all)).not.toContain("4711");
  });

  it("of a limited tool, and of a limiter, are on the span that is active", async () => {
    const { telemetry, tracer, span, points } = setup();
    const { onDecision } = telemetry;
    const tool = limitTool({ tool: "search", limit: "1/min", store: memoryStore(), onDecision }, async () => "found");
    const limiter = createLimiter({ quota: "7/min", onDecision });
    await tracer.startActiveSpan("tool", async (active) => {
      await (tool as (...args: unknown[]) => unknown)({}, {});
      active.end();
    });
    tracer.startActiveSpan("route", (active) => {
      limiter.consume("customer");
      active.end();
    });
    expect(span("tool").attributes).toMatchObject({ "rate_limit.decision": "allow", "rate_limit.limit": 1 });
    expect(span("route").attributes).toMatchObject({ "rate_limit.decision": "allow", "rate_limit.remaining": 6 });
    const kinds = (await points("rate_limit.decisions")).map((one) => one.attributes["rate_limit.kind"]);
    expect(kinds).toEqual(["rate", "limiter"]);
  });
});

it("records nothing and breaks nothing where no SDK is registered", async () => {
  const { openTelemetry } = await import("sluice/opentelemetry");
  const telemetry = openTelemetry(api);
  const sent: any[] = [];
  const transport: any = { send: async (message: any) => void sent.push(message), close: async () => {} };
  telemetry.serverTransport(transport);
  transport.onmessage = ({ id }: any) => transport.send({ jsonrpc: "2.0", id, result: {} });
  transport.onmessage({ jsonrpc: "2.0", id: 1, method: "ping" });
  expect(sent).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }]);
});
