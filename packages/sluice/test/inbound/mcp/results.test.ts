import { memoryStore } from "sluice";
import { createMcpGate, type McpRateLimitOptions, type McpResultEvent } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { setup } from "./fake-transport.ts";

function scene(options: McpRateLimitOptions = { perClient: "9/h" }) {
  const clock = manualClock();
  const events: McpResultEvent[] = [];
  const gate = createMcpGate({ store: memoryStore({ clock }), onResult: (event) => events.push(event), ...options });
  const origin = { connection: "a", authInfo: { extra: { plan: "pro" } } };
  const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } } as const;
  return { clock, events, gate, origin, request };
}

describe("what came of a call", () => {
  it.each([
    [{ content: [] }, "result", undefined],
    [{ content: [], isError: true }, "tool_error", undefined],
    [{ code: -32_602, message: "no" }, "error", -32_602],
    [{ code: 5 }, "result", undefined],
    [undefined, "result", undefined],
  ])("is told, with how long it took: %j", async (answer, outcome, errorCode) => {
    const { clock, events, gate, origin, request } = scene({ perClient: "9/h", tier: { claim: "plan" } as never });
    await gate.admit([request], origin);
    clock.advanceSync(12.5);
    gate.sawAnswer(request, origin, answer);
    gate.sawAnswer(request, origin, answer);
    expect(events).toMatchObject([{ client: expect.any(String), durationMs: 12.5, outcome, call: { tool: "t" } }]);
    expect(events[0]!.errorCode).toBe(errorCode);
  });

  it("is told when there is no answer", async () => {
    const { events, gate, origin, request } = scene();
    await gate.admit([request], origin);
    gate.sawFailure(request);
    expect(events).toMatchObject([{ outcome: "no_answer" }]);
  });

  it("is not told of calls that were refused, or fall under no limit", async () => {
    const { events, gate, origin, request } = scene({ tools: { t: "1/h" } });
    await gate.admit([request], origin);
    gate.sawAnswer(request, origin, {});
    const second = { ...request, id: 2 };
    await gate.admit([second], origin);
    gate.sawAnswer(second, origin, {});
    const other = { ...request, id: 3, params: { name: "other" } };
    await gate.admit([other], origin);
    gate.sawAnswer(other, origin, {});
    expect(events).toHaveLength(1);
  });

  it("is heard at a transport, and costs nothing where nobody listens", () => {
    const events: McpResultEvent[] = [];
    const { transport, call } = setup({ perClient: "9/h", onResult: (event) => events.push(event) });
    call(1);
    transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    expect(events).toHaveLength(1);
    expect(createMcpGate({ perClient: "9/h" }).watches).toBe("nothing");
  });
});
