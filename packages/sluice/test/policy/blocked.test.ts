import { memoryStore } from "sluice";
import {
  createMcpGate,
  createOverrides,
  limitFetch,
  type McpDecisionEvent,
  type McpRateLimitOptions,
  readRefusal,
} from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it } from "vitest";

const START = Date.parse("2026-11-29T12:00:00Z");
const HOUR = 3_600_000;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function scene(options: McpRateLimitOptions = { tools: { search: "2/h" } }, limit = "tools.search") {
  const clock = manualClock({ wall: new Date(START) });
  const store = memoryStore({ clock });
  const overrides = createOverrides({ store });
  closers.push(() => overrides.close());
  const events: McpDecisionEvent[] = [];
  const all = { ...options, store, overrides, onDecision: (event: McpDecisionEvent) => events.push(event) };
  const gate = createMcpGate(all);
  await overrides.set({ limit, client: "ann", quota: "blocked", until: START + HOUR, note: "runs wild" });
  let id = 0;
  const ask = (tool = "search", connection = "ann") => {
    const request = { jsonrpc: "2.0", id: ++id, method: "tools/call", params: { name: tool } } as const;
    return { request, admitted: gate.admit([request], { connection }) };
  };
  const passes = async (tool?: string, connection?: string) =>
    (await ask(tool, connection).admitted).refusal === undefined;
  return { clock, gate, overrides, events, ask, passes, all };
}

describe("a client that is blocked", () => {
  it("passes nothing under that limit until the time has come, and is charged nothing", async () => {
    const { clock, passes, overrides } = await scene({ perClient: "2/h", tools: { search: "9/h" } });
    for (let i = 0; i < 5; i++) expect(await passes()).toBe(false);
    expect([await passes("other"), await passes("search", "bob")]).toEqual([true, true]);
    clock.advanceSync(HOUR);
    expect([await passes(), await passes()]).toEqual([true, true]);
    expect(await overrides.list()).toEqual([]);
  });

  it("is told so in words that a model can act on, without the note", async () => {
    const { gate, ask, events } = await scene();
    const { request, admitted } = ask();
    const { result } = gate.refuse(request, (await admitted).refusal!) as any;
    expect(result.content[0].text).toMatch(
      /^The operator of this server lets no such calls of this client pass for now\. This call was not run\. .*60 min.*do not repeat/,
    );
    expect(JSON.stringify(result)).not.toContain("wild");
    expect(readRefusal(result)).toMatchObject({ rate_limited: true, retryAfterMs: HOUR, quota: "block", remaining: 0 });
    expect(events).toMatchObject([
      { client: "ann", decision: { quota: "block", allowed: false }, refusal: { isBlock: true } },
    ]);
  });

  it("does not wait in line or in rounds, however soon the block ends", async () => {
    const { clock, ask } = await scene({ tools: { search: "2/h" }, wait: { maxWaitMs: 30_000 }, tickets: true });
    clock.advanceSync(HOUR - 1_000);
    const { refusal } = await ask().admitted;
    expect(refusal).toMatchObject({ isBlock: true, decision: { retryAfterMs: 1_000 } });
    expect(clock.pending).toBeLessThan(2);
  });

  it("is known to who asks what would become of a call", async () => {
    const { gate, ask } = await scene();
    const { blockedUntil, limits } = await gate.explain(ask().request, { connection: "ann" });
    expect(blockedUntil).toBe(START + HOUR);
    expect(limits).toHaveLength(1);
    expect(await gate.explain(ask().request, { connection: "bob" })).not.toHaveProperty("blockedUntil");
  });

  it("is heard of, and passes, under a limit on trial", async () => {
    const { passes, events } = await scene({ policies: [{ name: "trial", quota: "2/h", mode: "shadow" }] }, "trial");
    expect(await passes()).toBe(true);
    expect(events).toMatchObject([{ mode: "shadow", decision: { allowed: false, quota: "block" } }]);
  });

  it("is refused where there are only places, too, and with the advice of the policy", async () => {
    const { ask } = await scene({ policies: [{ name: "slots", concurrency: 5, advice: "Ask ops." }] }, "slots");
    expect((await ask().admitted).refusal).toMatchObject({ isBlock: true, advice: "Ask ops." });
  });

  it("hears over HTTP when it may come again", async () => {
    const { all } = await scene();
    const handler = limitFetch(async () => new Response(), { ...all, client: () => "ann", httpStatus: 429 });
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "search" } });
    const response = await handler(new Request("http://localhost", { method: "POST", body }));
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "3600"]);
  });
});
