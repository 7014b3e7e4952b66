import { memoryStore } from "sluice";
import { createMcpGate, limitFetch, type McpRateLimitOptions, type McpResultEvent } from "sluice/mcp";
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

  it.each(["finish", "abandon", "undo"] as const)("is told of calls that end unseen, once: %s", async (verb) => {
    const { events, gate, origin, request } = scene({ perClient: "9/h", tools: { t: { concurrency: 2 } } });
    const admission = await gate.admit([request], origin);
    admission[verb]();
    admission[verb]();
    gate.sawAnswer(request, origin, {});
    expect(events).toMatchObject([{ outcome: "unseen" }]);
    const seen = { ...request, id: 2 };
    const second = await gate.admit([seen], origin);
    gate.sawAnswer(seen, origin, {});
    second[verb]();
    expect(events.slice(1)).toMatchObject([{ outcome: "result" }]);
  });

  it("says nothing about the server where it was not seen", async () => {
    const levels: number[] = [];
    const { gate, origin, request } = scene({
      policies: [{ name: "p", quota: "99/s", adapt: true }],
      onAdapt: ({ level }) => levels.push(level),
    });
    for (let id = 1; id <= 50; id++) (await gate.admit([{ ...request, id }], origin)).abandon();
    expect(levels).toEqual([]);
  });

  it("is told of what is cancelled and of what is too large over HTTP", async () => {
    const events: McpResultEvent[] = [];
    const body = `{"jsonrpc":"2.0","id":1,"result":{"text":"${"x".repeat(300_000)}"}}`;
    const fetch = limitFetch(async () => new Response(body, { headers: { "content-type": "application/json" } }), {
      perClient: "9/h",
      client: () => "me",
      store: memoryStore({ clock: manualClock() }),
      onResult: (event) => events.push(event),
    });
    const post = () =>
      fetch(
        new Request("http://localhost/mcp", {
          method: "POST",
          body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}',
        }),
      );
    expect(await (await post()).text()).toBe(body);
    expect(events).toMatchObject([{ outcome: "unseen", client: "me" }]);
    await (await post()).body!.cancel();
    expect(events).toHaveLength(2);
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
