import { createLimiter, memoryStore } from "sluice";
import { createOverrides, limitTool } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { setup } from "./traced-transport.ts";

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
    const { onDecision } = telemetry.listeners;
    const tool = limitTool({ tool: "search", limit: "1/min", store: memoryStore(), onDecision }, async () => "found");
    const limiter = createLimiter({ quota: ["7/min", "14/h"], onDecision: telemetry.decisionsOf("api") });
    await tracer.startActiveSpan("tool", async (active) => {
      await (tool as (...args: unknown[]) => unknown)({}, {});
      active.end();
    });
    tracer.startActiveSpan("route", (active) => {
      limiter.consume("customer");
      active.end();
    });
    expect(span("tool").attributes).toMatchObject({ "rate_limit.decision": "allow", "rate_limit.limit": 1 });
    expect(span("route").attributes).toMatchObject({ "rate_limit.policy": "api", "rate_limit.remaining": 6 });
    const kinds = (await points("rate_limit.decisions")).map((one) => one.attributes["rate_limit.kind"]);
    expect(kinds).toEqual(["rate", "limiter"]);
  });
});
