import { memoryStore } from "sluice";
import { createTelemetry } from "sluice/opentelemetry";
import { describe, expect, it } from "vitest";
import { api, TRACE } from "./recording.ts";
import { setup } from "./traced-transport.ts";

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
    expect(api.propagation.getBaggage(api.context.active())).toBeUndefined();
    await answer(1);
    expect(delivered.map(({ baggage }) => baggage)).toEqual([undefined]);
    expect(span("tools/call echo").ended).toBe(true);
  });

  it("is read from texts of a bearable length alone", () => {
    const carriers: object[] = [];
    const propagation = {
      extract: (context: unknown, carrier: object) => {
        carriers.push(carrier);
        return context;
      },
      inject: () => {},
    };
    const _meta = { traceparent: "a", "x-b3": "b", baggage: "c".repeat(8193), tracestate: 7, progressToken: {} };
    createTelemetry({ api: { ...api, propagation } }).received(
      { jsonrpc: "2.0", id: 1, method: "ping", params: { _meta } },
      { isHttp: false },
    );
    expect(carriers).toEqual([{ traceparent: "a", "x-b3": "b" }]);
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

  it.each([[undefined], [null], ["text"], [7], [[]], [{ name: { toString: 1 }, uri: 5, _meta: [] }]])(
    "does not mind parameters that are %j",
    async (params: any) => {
      const { receive, answer, spans, delivered } = setup({ store: memoryStore(), perClient: "9/min" });
      receive({ id: 1, method: "tools/call", params });
      await answer(1, { isError: true });
      expect(delivered).toHaveLength(1);
      expect(spans().map(({ name }) => name)).toEqual(["tools/call"]);
    },
  );

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
  it("are cut on spans", async () => {
    const { call, answer, spans } = setup();
    call(1, "x".repeat(1_000_000));
    await answer(1, { isError: true });
    expect(spans()[0]!.attributes["gen_ai.tool.name"]).toHaveLength(200);
  });

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

it("records nothing and breaks nothing where no SDK is registered", async () => {
  const telemetry = createTelemetry({ api });
  const sent: any[] = [];
  const transport: any = { send: async (message: any) => void sent.push(message), close: async () => {} };
  telemetry.serverTransport(transport);
  transport.onmessage = ({ id }: any) => transport.send({ jsonrpc: "2.0", id, result: {} });
  transport.onmessage({ jsonrpc: "2.0", id: 1, method: "ping" });
  expect(sent).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }]);
});

it("says what it needs when it is given something else", () => {
  expect(() => createTelemetry({} as any)).toThrow('import * as api from "@opentelemetry/api"');
  expect(() => createTelemetry({ api: api.trace as any })).toThrow("give { api }");
});
