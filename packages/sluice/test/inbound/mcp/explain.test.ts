import { memoryStore } from "sluice";
import { createMcpGate, createOverrides, type McpRateLimitOptions, refusalText } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

const request = (name = "t") => ({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } }) as const;
const ANN = { connection: "ann" };

/** A gate, what it says of a call, and the text with which it refuses one. */
function scene(options: McpRateLimitOptions) {
  const gate = createMcpGate({ store: memoryStore({ clock: manualClock() }), ...options });
  return {
    explain: (tool?: string) => gate.explain(request(tool), ANN),
    async admit(tool?: string) {
      const { refusal } = await gate.admit([request(tool)], ANN);
      return refusal && refusalText(refusal);
    },
  };
}

describe("what would become of a call", () => {
  it("is what becomes of it, word by word, however often it is asked", async () => {
    const { explain, admit } = scene({ perClient: "5/h", tools: { t: "2/min" } });
    const lefts = [];
    for (let i = 0; i < 3; i++) {
      await explain();
      const { refusal, limits } = await explain();
      lefts.push(limits.map(({ decision: { remaining } }) => remaining));
      const told = refusal && refusalText(refusal);
      expect(told === undefined).toBe(i < 2);
      expect(await admit()).toBe(told);
    }
    expect(lefts).toEqual([
      [4, 1],
      [3, 0],
      [3, 0],
    ]);
  });

  it("is decided by limits in force, and each on trial by itself", async () => {
    const { explain, admit } = scene({
      perClient: "5/h",
      policies: ["a", "b"].map((name, i) => ({ name, quota: `${i + 1}/h`, mode: "shadow" })),
    });
    await admit();
    const { refusal, limits } = await explain();
    expect(refusal).toBeUndefined();
    const found = limits.map(({ policy, decision: { allowed, remaining } }) => [policy, allowed, remaining]);
    expect(found).toEqual([
      ["perClient", true, 3],
      ["a", false, 0],
      ["b", true, 0],
    ]);
  });

  it("is told of a gate on trial as if it were in force: all together", async () => {
    const { explain, admit } = scene({ mode: "shadow", perClient: "5/h", tools: { t: "1/h" } });
    await admit();
    const { refusal, limits } = await explain();
    expect(refusal).toBeUndefined();
    expect(limits.map(({ decision: { allowed, remaining } }) => [allowed, remaining])).toEqual([
      [true, 4],
      [false, 0],
    ]);
  });

  it("may be that it stands in line, if that is allowed for long enough", async () => {
    const { explain, admit } = scene({ wait: { maxWaitMs: 2_000 }, tools: { quick: "1/s", slow: "1/min" } });
    for (const tool of ["quick", "slow"]) await admit(tool);
    expect(await explain("quick")).toMatchObject({ waits: true, refusal: { decision: { retryAfterMs: 1_000 } } });
    expect(await explain("slow")).not.toHaveProperty("waits");
    expect(await explain("slow")).toHaveProperty("refusal");
  });

  it("is what an operator says of a client who is blocked", async () => {
    const store = memoryStore();
    const overrides = createOverrides({ store });
    const until = Date.now() + 10_000;
    await overrides.set({ limit: "perClient", client: "ann", quota: "blocked", until });
    const { explain } = scene({ perClient: "5/h", wait: { maxWaitMs: 30_000 }, store, overrides });
    const { blockedUntil, refusal, waits, limits } = await explain();
    expect([blockedUntil, refusal?.isBlock, waits, limits.length]).toEqual([until, true, undefined, 1]);
    overrides.close();
  });

  it("is nothing where there is no limit", async () => {
    const { explain } = scene({ tools: { other: "1/h" } });
    expect(await explain()).toEqual({ limits: [] });
  });
});
