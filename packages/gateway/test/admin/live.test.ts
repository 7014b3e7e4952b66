import { memoryStore } from "sluice";
import { createMcpGate, type McpDecisionEvent } from "sluice/mcp";
import { describe, expect, it } from "vitest";
import { changes } from "../../src/admin/live/changes.ts";
import { counts } from "../../src/admin/live/counts.ts";
import { decisionLog } from "../../src/admin/live/decision-log.ts";

/** Real events: three calls of a tool that may be called twice, of which limits on trial allow one. */
function events(tool = "t"): readonly McpDecisionEvent[] {
  const heard: McpDecisionEvent[] = [];
  const gate = createMcpGate({
    store: memoryStore(),
    tools: { "*": "2/h" },
    policies: [{ name: "trial", quota: "1/h", mode: "shadow" }],
    onDecision: (event) => heard.push(event),
  });
  for (let id = 1; id <= 3; id++) {
    const request = {
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name: tool, arguments: { secret: 1 } },
    } as const;
    void gate.admit([request], { connection: "a" });
  }
  return heard;
}

const anyGate = () => createMcpGate({});

describe("what was decided", () => {
  it("is counted by second, tool and limit", () => {
    let now = 5_000;
    const one = counts(() => now);
    for (const event of events()) one.saw(event);
    expect(one.series(0)).toEqual([{ at: 5_000, allowed: 2, waited: 0, refused: 1, shadow: 1, degraded: 0, loops: 0 }]);
    expect(one.slowMs).toBeGreaterThanOrEqual(0);
    expect(counts().slowMs).toBeUndefined();
    expect(one.tools()).toEqual([{ tool: "t", passed: 2, refused: 1, waited: 0, lastAt: 5_000 }]);
    now += 900_000;
    for (const event of events()) one.saw(event);
    expect(one.series(0).map(({ at }) => at)).toEqual([905_000]);
    expect(one.series(905_001)).toEqual([]);
  });

  it("is counted when all limits are on trial, and once when several are", () => {
    const one = counts(() => 5_000);
    const gate = createMcpGate({
      store: memoryStore(),
      mode: "shadow",
      perClient: "1/h",
      onDecision: (event) => one.saw(event),
    });
    const several = createMcpGate({
      store: memoryStore(),
      policies: ["a", "b", "c"].map((name, i) => ({ name, quota: i === 0 ? "9/h" : "1/h", mode: "shadow" })),
      onDecision: (event) => one.saw(event),
    });
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } } as const;
    for (let i = 0; i < 2; i++) void gate.admit([request], { connection: "a" });
    expect(one.series(0)).toMatchObject([{ allowed: 2, refused: 0, shadow: 1 }]);
    for (let i = 0; i < 2; i++) void several.admit([request], { connection: "a" });
    expect(one.series(0)).toMatchObject([{ allowed: 4, refused: 0, shadow: 2 }]);
    expect(one.tools()).toMatchObject([{ tool: "t", passed: 4, refused: 0 }]);
  });

  it("names all limits, those too that no call has met", () => {
    const one = counts(() => 7);
    const gate = createMcpGate({
      tools: { t: { quota: "1/s", concurrency: 2 } },
      policies: [{ name: "p", tiers: { pro: "9/s", "*": "1/s" }, mode: "shadow" }],
    });
    expect(one.limits(gate.limits).map(({ quota, rate, mode, calls }) => [quota, rate, mode, calls])).toEqual([
      ["tools.t.per-second", "1 per second", "enforce", 0],
      ["tools.t.concurrency", "2 at once", "enforce", 0],
      ["p.per-second", "9 per second", "shadow", 0],
      ["p.per-second", "1 per second", "shadow", 0],
    ]);
    expect(one.limits([])).toEqual([]);
    for (const event of events()) one.saw(event);
    expect(one.limits([])).toContainEqual({
      ...{ policy: "tools.*", quota: "tools.other.per-hour", rate: "2 per hour", mode: "enforce" },
      ...{ limit: 2, periodMs: 3_600_000, isInForce: false },
      ...{ calls: 3, refused: 1, lastAt: 7, lastRefusedAt: 7, fullness: [0, 1, 0, 0, 2] },
    });
  });

  it("keeps no more tools than there can be", () => {
    const one = counts();
    for (let i = 0; i < 500; i++) one.saw(events(`made-up-${i}`)[0]!);
    expect(one.tools()).toHaveLength(201);
    expect(one.tools()[0]).toMatchObject({ tool: "(other tools)", passed: 300 });
  });
});

describe("the decisions that are kept", () => {
  it("say everything but arguments", () => {
    const log = decisionLog(anyGate, () => 1_000);
    for (const event of events()) log.saw(event);
    const { decisions } = log.since(0);
    expect(decisions.map(({ id, mode, decision }) => [id, mode, decision.allowed])).toEqual([
      [1, "enforce", true],
      [2, "shadow", true],
      [3, "enforce", true],
      [4, "shadow", false],
      [5, "enforce", false],
    ]);
    expect(decisions[4]).toMatchObject({
      client: "a",
      tool: "t",
      refusal: { subject: "all tools together" },
    });
    expect(decisions[4]!.decisions[0]).toMatchObject({ key: "a", cost: 1 });
    expect(JSON.stringify(decisions)).not.toContain("secret");
  });

  it("are the last thousand, and it is known how many are missing", () => {
    let now = 0;
    const log = decisionLog(anyGate, () => now);
    const [event] = events();
    for (let i = 0; i < 1_500; i++) {
      now += 1_000;
      log.saw(event!);
    }
    expect(log.since(1_490).decisions.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, i) => 1_491 + i));
    expect(log.since(1_490).missed).toBe(0);
    const all = log.since(100);
    expect([all.missed, all.decisions.length, all.decisions[0]!.id]).toEqual([400, 1_000, 501]);
    expect(log.since(1_500)).toEqual({ decisions: [], missed: 0 });
  });

  it("are not more in a second than can be read, and refusals are not pushed out by what passes", () => {
    let now = 0;
    const log = decisionLog(anyGate, () => now);
    const [passes, , , , refused] = events();
    for (let i = 0; i < 500; i++) log.saw(passes!);
    log.saw(refused!);
    expect(log.since(0).decisions).toHaveLength(51);
    expect(log.unsent).toBe(0);
    now = 1_000;
    expect(log.unsent).toBe(450);
    now = 2_000;
    expect(log.unsent).toBe(0);
  });

  it("are told to who listens, until that ends", () => {
    const log = decisionLog(anyGate);
    const heard: number[] = [];
    const end = log.subscribe(({ id }) => heard.push(id));
    const [event] = events();
    log.saw(event!);
    end();
    log.saw(event!);
    expect(heard).toEqual([1]);
  });
});

describe("what was changed", () => {
  it("is kept as long as calls are shown, and no more than can be read", () => {
    let now = 1_000;
    const one = changes(() => now);
    one.add({ kind: "override", limit: "p", client: "c", quota: "9/s" });
    expect(one.list()).toEqual([{ kind: "override", limit: "p", client: "c", quota: "9/s", at: 1_000 }]);
    now += 899_999;
    one.add({ kind: "taken-back", limit: "p", client: "c" });
    expect(one.list()).toHaveLength(2);
    now++;
    expect(one.list().map(({ kind }) => kind)).toEqual(["taken-back"]);
    for (let i = 0; i < 300; i++) one.add({ kind: "reset", client: `c${i}`, limits: [] });
    expect(one.list()).toHaveLength(200);
    expect(one.list().at(-1)).toMatchObject({ client: "c299" });
  });
});
