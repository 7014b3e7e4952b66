import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore, type Store } from "sluice";
import { createMcpGate, createOverrides, type McpRateLimitOptions, type Override } from "sluice/mcp";
import { sqliteStore } from "sluice/sqlite";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it } from "vitest";

const START = new Date("2026-11-29T12:00:00Z");
const HOUR = 3_600_000;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function scene(limits: McpRateLimitOptions = { tools: { search: "2/h" }, whenChanged: "carry" }) {
  const clock = manualClock({ wall: START });
  const store = memoryStore({ clock });
  const overrides = createOverrides({ store });
  closers.push(() => overrides.close());
  const gate = createMcpGate({ ...limits, store, overrides });
  let id = 0;
  const call = (connection = "ann", tool = "search") => {
    const request = { jsonrpc: "2.0", id: ++id, method: "tools/call", params: { name: tool } } as const;
    const admission = gate.admit([request], { connection });
    if ("then" in admission) throw new Error("Over memory a decision is there at once.");
    admission.finish();
    return admission.refusal === undefined;
  };
  const calls = (count: number, connection?: string, tool?: string) =>
    Array.from({ length: count }, () => call(connection, tool)).filter(Boolean).length;
  return { clock, store, overrides, gate, call, calls };
}

const override = (more: Partial<Override> = {}): Override => ({
  limit: "tools.search",
  client: "ann",
  quota: "5/h",
  until: START.getTime() + HOUR,
  ...more,
});

describe("an override", () => {
  it("gives one client other rates under one limit; what was used stays used", async () => {
    const { overrides, calls } = scene();
    expect([calls(3), calls(3, "bob")]).toEqual([2, 2]);
    await overrides.set(override());
    expect([calls(9), calls(9, "bob")]).toEqual([3, 0]);
  });

  it("ends by itself", async () => {
    const { overrides, calls, clock } = scene({ tools: { search: "2/min" } });
    await overrides.set(override({ quota: "50/min", until: START.getTime() + 60_000 }));
    expect(calls(60)).toBe(50);
    clock.advanceSync(60_000);
    expect(calls(60)).toBe(2);
    expect(await overrides.list()).toEqual([]);
  });

  it("may lift a limit, or tighten it, and is taken back", async () => {
    const { overrides, calls } = scene();
    await overrides.set(override({ quota: "unlimited" }));
    expect(calls(100)).toBe(100);
    await overrides.set(override({ quota: ["1/h", "1/day UTC"] }));
    expect(calls(3)).toBe(1);
    expect(await overrides.list()).toHaveLength(1);
    expect(await overrides.remove({ limit: "tools.search", client: "ann" })).toBe(true);
    expect(await overrides.remove({ limit: "tools.search", client: "ann" })).toBe(false);
    expect(calls(3)).toBe(1);
  });

  it("stands in the place of a policy's quotas, those of a tier included, and leaves places alone", async () => {
    const { overrides, calls, gate } = scene({
      tier: () => "free",
      policies: [
        { name: "plan", tiers: { free: "1/h", "*": "1/h" } },
        { name: "slots", match: { tool: "slow" }, concurrency: 1 },
      ],
    });
    await overrides.set(override({ limit: "plan", quota: "4/h" }));
    await overrides.set(override({ limit: "slots", quota: "unlimited" }));
    expect([calls(9), calls(9, "bob")]).toEqual([4, 1]);
    const { limits } = await gate.explain(
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "slow" } },
      { connection: "ann" },
    );
    expect(limits.map(({ quota }) => quota.name)).toEqual(["plan.per-hour", "slots.concurrency"]);
  });
});

describe("over one store", () => {
  const open = (): Store => {
    const store = sqliteStore({ path });
    closers.unshift(() => store.close?.());
    return store;
  };
  const path = join(mkdtempSync(join(tmpdir(), "sluice-overrides-")), "limits.db");

  it("all hear of a change, and none is lost when several make one at once", async () => {
    const [a, b] = [createOverrides({ store: open() }), createOverrides({ store: open() })];
    closers.unshift(
      () => a.close(),
      () => b.close(),
    );
    const until = Date.now() + HOUR;
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        (i % 2 === 0 ? a : b).set(override({ client: `c${i}`, until, note: "why" })),
      ),
    );
    await b.refresh();
    expect(b.find("tools.search", "c0")).toMatchObject({ quota: "5/h", note: "why" });
    expect((await a.list()).map(({ client }) => client).sort()).toEqual(Array.from({ length: 10 }, (_, i) => `c${i}`));
  });
});

it("hears within the time of polling, and goes on when the store fails", async () => {
  const clock = manualClock({ wall: START });
  const memory = memoryStore({ clock });
  let isDown = false;
  const store: Store = {
    clock,
    take: async (demands, options) => memory.take(demands, options),
    forget: async (accounts) => memory.forget(accounts),
    document: (name) => ({
      async read() {
        if (isDown) throw new Error("down");
        return memory.document!(name).read();
      },
      replace: async (version, text) => memory.document!(name).replace(version, text),
    }),
  };
  const errors: unknown[] = [];
  const mine = createOverrides({ store: memory });
  const yours = createOverrides({ store, onError: (error) => errors.push(error) });
  closers.push(
    () => mine.close(),
    () => yours.close(),
  );
  await mine.set(override());
  expect(yours.find("tools.search", "ann")).toBeUndefined();
  await clock.advance(1_000);
  expect(yours.find("tools.search", "ann")).toBeDefined();
  isDown = true;
  await clock.advance(3_000);
  expect(errors.length).toBeGreaterThan(0);
  expect(yours.find("tools.search", "ann")).toBeDefined();
  isDown = false;
  await mine.remove(override());
  await clock.advance(2_000);
  expect(yours.find("tools.search", "ann")).toBeUndefined();
});

describe("what cannot be", () => {
  it.each<[string, unknown]>([
    ["limit", override({ limit: "" })],
    ["client", override({ client: "a\nb" })],
    ["client", override({ client: "x".repeat(2_000) })],
    ["rate", override({ quota: "fast" })],
    ["until", override({ until: START.getTime() - 1 })],
    ["until", override({ until: Number.POSITIVE_INFINITY })],
    ["note", override({ note: 5 as never })],
    ["limit", undefined],
  ])("is an error that names it: %s", async (field, given) => {
    const { overrides } = scene();
    await expect(overrides.set(given as Override)).rejects.toThrow(field);
    expect(await overrides.list()).toEqual([]);
  });

  it("is nothing to go by in the store", async () => {
    const { store, overrides, calls } = scene();
    const document = store.document!("overrides/mcp");
    for (const text of [
      "",
      "{",
      "{}",
      "[1,null,{}]",
      JSON.stringify([override({ quota: "x" }), override({ client: "bob" })]),
    ]) {
      const version = (await document.read())?.version ?? 0;
      await document.replace(version, text);
      await overrides.refresh();
    }
    expect([calls(9), calls(9, "bob")]).toEqual([2, 5]);
  });

  it("is a store that keeps no texts", () => {
    const store: Store = { take: () => [], forget: () => {} };
    expect(() => createOverrides({ store })).toThrow("keeps no shared texts");
  });
});
