import { memoryStore } from "sluice";
import { createMcpGate, type McpRateLimitOptions, type Origin } from "sluice/mcp";
import { expect, it } from "vitest";
import { api, recording, TRACE } from "./recording.ts";

function setup(options: McpRateLimitOptions = {}) {
  const record = recording();
  const gate = record.telemetry.gate(
    createMcpGate({ store: memoryStore(), ...record.telemetry.listeners, ...options }),
  );
  const origin: Origin = { connection: "one" };
  const request = (id: number, method = "tools/call", params: object = { name: "echo" }) =>
    ({ jsonrpc: "2.0", id, method, params: { ...params, _meta: TRACE.meta } }) as const;
  return { ...record, gate, origin, request };
}

it("wants to hear of all answers, and gives each request a span", async () => {
  const { gate, origin, request, span } = setup({ perClient: "9/min" });
  expect(gate.watches).toBe("everything");
  const first = request(1);
  const admission = await gate.admit([first], origin);
  gate.sawAnswer(first, origin, { content: [] });
  admission.finish();
  expect(span("tools/call echo")).toMatchObject({
    kind: api.SpanKind.SERVER,
    parentSpanContext: { spanId: TRACE.spanId },
    attributes: { "rate_limit.decision": "allow", "network.transport": "pipe" },
    status: { code: api.SpanStatusCode.UNSET },
  });
});

it.each([
  ["a refusal", "tool_error"],
  ["no answer", "no_answer"],
  ["a client that has left", "cancelled"],
  ["an answer that nobody could look at", undefined],
])("hears of %s", async (what, errorType) => {
  const { gate, origin, request, spans } = setup({ perClient: "1/min" });
  if (what === "a refusal") await gate.admit([request(1)], origin);
  const second = request(2);
  const admission = await gate.admit([second], origin);
  if (admission.refusal !== undefined) gate.refuse(second, admission.refusal);
  else if (what === "no answer") gate.sawFailure(second);
  else if (what === "a client that has left") admission.abandon();
  else admission.finish();
  expect(spans().map(({ attributes }) => [attributes["jsonrpc.request.id"], attributes["error.type"]])).toEqual([
    ["2", errorType],
  ]);
});

it("hears of a store that fails, and of who leaves the line", async () => {
  const fail = () => Promise.reject(new RangeError("no"));
  const { gate, origin, request, spans } = setup({
    perClient: "1/min",
    store: { take: fail, forget: fail, close: async () => {} },
  });
  await expect(Promise.resolve().then(() => gate.admit([request(1)], origin))).rejects.toThrow("no");
  expect(spans()[0]!.attributes["error.type"]).toBe("RangeError");

  const waiting = setup({ perClient: "1/20s", wait: { maxWaitMs: 30_000 } });
  await waiting.gate.admit([waiting.request(1)], waiting.origin);
  const leaving = new AbortController();
  const left = Promise.resolve(waiting.gate.admit([waiting.request(2)], waiting.origin, leaving.signal));
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow();
  expect(waiting.spans().map(({ attributes }) => attributes["error.type"])).toEqual(["cancelled"]);
});

it("knows the revision that its connection agreed on", async () => {
  const { gate, origin, request, span } = setup();
  const hello = request(1, "initialize");
  await gate.admit([hello], origin);
  gate.sawAnswer(hello, origin, { protocolVersion: "2025-11-25", serverInfo: {} });
  const call = request(2);
  await gate.admit([call], origin);
  gate.sawAnswer(call, origin, { content: [] });
  expect(span("tools/call echo").attributes["mcp.protocol.version"]).toBe("2025-11-25");
});
