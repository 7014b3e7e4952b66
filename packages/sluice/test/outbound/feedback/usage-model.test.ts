import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createUsageModel } from "../../../src/outbound/feedback/usage-model.ts";
import { seeded } from "../../algorithms/seeded.ts";
import { type Kind, modelServer } from "./model-server.ts";

const KINDS: readonly Kind[] = ["fixed", "sliding", "sliding, whole", "bucket"];

interface World {
  readonly kind: Kind;
  readonly limit: number;
  readonly windowMs: number;
  /** The part of the responses that state the window. */
  readonly statesWindow: number;
  readonly statesLimit: boolean;
  readonly latencyMs: number;
  /** Parts of the calls: those of others, those without a statement, those without a response. */
  readonly others: number;
  readonly silent: number;
  readonly lost: number;
  readonly seed: number;
}

/** Lets calls of ours and of others happen at random times, and checks both promises of the model at every event. */
function run({ kind, limit, windowMs, statesWindow, statesLimit, latencyMs, others, silent, lost, seed }: World) {
  const random = seeded(seed);
  const server = modelServer({ kind, limit, windowMs });
  const model = createUsageModel();
  const identity = { name: "a" };
  const seen = { foreign: 0, reported: 0, checked: 0, allowed: 0 };
  const used: { atMs: number; units: number }[] = [];
  let onTheWay = 0;
  let lastCountedMs = -1;

  const events: { atMs: number; run: (nowMs: number) => void }[] = [];
  const at = (atMs: number, run: (nowMs: number) => void) => events.push({ atMs, run });
  const latency = () => Math.floor(random() * random() * latencyMs);

  function ourCall(nowMs: number) {
    const cost = 1 + Math.floor(random() * 3);
    const sequence = model.sent(cost, nowMs);
    onTheWay += cost;
    at(nowMs + latency(), (nowMs) => {
      onTheWay -= cost;
      server.take(cost, nowMs);
      const { limit, ...state } = server.state(nowMs);
      const stated = {
        ...state,
        ...identity,
        ...(statesLimit && { limit }),
        ...(random() < statesWindow && { windowMs }),
      };
      const fate = random();
      at(nowMs + latency(), (heardMs) => {
        if (fate < lost) return model.lost(sequence, heardMs);
        if (fate < lost + silent) return void model.heard(sequence, [], heardMs);
        lastCountedMs = Math.max(lastCountedMs, nowMs);
        for (const { foreign } of model.heard(sequence, [stated], heardMs)) seen.reported += foreign;
      });
    });
  }

  for (let i = 0, nowMs = 0; i < 60; i++) {
    nowMs += Math.floor(random() ** 4 * windowMs);
    if (random() >= others) at(nowMs, ourCall);
    else {
      const units = 1 + Math.floor(random() * 4);
      at(nowMs, (nowMs) => {
        if (!server.take(units, nowMs)) return;
        seen.foreign += units;
        used.push({ atMs: nowMs, units });
      });
    }
  }
  while (events.length > 0) {
    events.sort((one, other) => one.atMs - other.atMs);
    const { atMs, run } = events.shift()!;
    run(atMs);
    expect(seen.reported).toBeLessThanOrEqual(seen.foreign);
    const allowed = model.allowed(identity, atMs);
    if (allowed === undefined) continue;
    seen.checked++;
    if (allowed > 0) seen.allowed++;
    // What others used in the same millisecond may have come after the last call was counted.
    const since = used.filter((one) => one.atMs >= lastCountedMs).reduce((sum, { units }) => sum + units, 0);
    expect(allowed).toBeLessThanOrEqual(Math.max(0, server.left(atMs) - onTheWay + since));
  }
  return seen;
}

const world = fc.record<World>({
  kind: fc.constantFrom(...KINDS),
  limit: fc.integer({ min: 3, max: 60 }),
  windowMs: fc.constantFrom(1000, 10_000, 60_000),
  statesWindow: fc.constantFrom(0, 0.1, 1),
  statesLimit: fc.boolean(),
  latencyMs: fc.constantFrom(0, 50, 2000, 30_000),
  others: fc.constantFrom(0, 0.1, 0.5, 0.9),
  silent: fc.constantFrom(0, 0.2),
  lost: fc.constantFrom(0, 0.2),
  seed: fc.integer(),
});

describe("the model of usage", () => {
  it("never reports more than others used, and never allows more than the server has left", () => {
    const sums = { foreign: 0, reported: 0, checked: 0, allowed: 0 };
    fc.assert(
      fc.property(world, (one) => {
        const seen = run(one);
        for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += seen[key];
      }),
      { numRuns: 1500 },
    );
    expect(sums.reported).toBeGreaterThan(sums.foreign / 10);
    expect(sums.allowed).toBeGreaterThan(5_000);
  });

  it("reports all that others used, once our calls are answered one by one", () => {
    for (const kind of KINDS) {
      const server = modelServer({ kind, limit: 1000, windowMs: 60_000 });
      const model = createUsageModel();
      let used = 0;
      let reported = 0;
      for (let i = 0; i < 20; i++) {
        if (kind !== "bucket" && server.take(i, i * 10)) used += i;
        const sequence = model.sent(2, i * 10);
        server.take(2, i * 10 + 5);
        const [noticed] = model.heard(sequence, [server.state(i * 10 + 5)], i * 10 + 9);
        reported += noticed!.foreign;
        expect(reported).toBe(used);
      }
    }
  });

  it("notices in a new window what others used before our first call, where the window is stated", () => {
    const server = modelServer({ kind: "fixed", limit: 100, windowMs: 1000 });
    const ask = (model: ReturnType<typeof createUsageModel>, nowMs: number, windowMs?: number) => {
      const sequence = model.sent(1, nowMs);
      server.take(1, nowMs);
      const stated = { ...server.state(nowMs), ...(windowMs !== undefined && { windowMs }) };
      return model.heard(sequence, [stated], nowMs)[0]!.foreign;
    };
    const model = createUsageModel();
    server.take(10, 0);
    expect(ask(model, 10, 1000)).toBe(10);
    expect(ask(model, 20, 1000)).toBe(0);
    server.take(30, 1500);
    expect(ask(model, 1600, 1000)).toBe(30);
    expect(ask(model, 1999, 1000)).toBe(0);
    server.take(40, 3500);
    expect(ask(model, 3600, 1000)).toBe(40);
  });

  it("takes units that come back for no use and no gift", () => {
    const model = createUsageModel();
    const hear = (remaining: number, nowMs: number, resetAfterMs = 1000) =>
      model.heard(model.sent(1, nowMs), [{ limit: 10, remaining, resetAfterMs }], nowMs)[0]!.foreign;
    expect([hear(9, 0), hear(8, 1), hear(9, 600), hear(8, 601), hear(7, 602)]).toEqual([0, 0, 0, 0, 0]);
    expect(hear(3, 603)).toBe(3);
  });

  it("does not count a lower limit as use by others", () => {
    const model = createUsageModel();
    model.heard(model.sent(1, 0), [{ limit: 100, remaining: 99, resetAfterMs: 1000 }], 1);
    expect(model.heard(model.sent(1, 2), [{ limit: 50, remaining: 48, resetAfterMs: 1000 }], 3)[0]!.foreign).toBe(0);
    expect(model.heard(model.sent(1, 4), [{ limit: 50, remaining: 40, resetAfterMs: 1000 }], 5)[0]!.foreign).toBe(7);
  });

  it("counts what is on its way, and lets no late response raise what is left", () => {
    const model = createUsageModel();
    const stated = (remaining: number) => [{ name: "a", remaining, resetAfterMs: 60_000 }];
    const [first, second, third] = [model.sent(1, 0), model.sent(1, 0), model.sent(1, 0)];
    expect(model.allowed({ name: "a" }, 0)).toBeUndefined();
    model.heard(third, stated(7), 10);
    expect(model.allowed({ name: "a" }, 10)).toBe(7 - 2);
    model.heard(first, stated(9), 20);
    expect(model.allowed({ name: "a" }, 20)).toBe(7 - 1);
    model.heard(second, [], 30);
    expect(model.allowed({ name: "a" }, 30)).toBe(7 - 1);
    model.heard(second, stated(100), 31);
    expect(model.allowed({ name: "a" }, 31)).toBe(7 - 1);
    model.heard(model.sent(1, 40), stated(6), 50);
    expect(model.allowed({ name: "a" }, 50)).toBe(6);
    model.lost(model.sent(2, 51), 52);
    expect(model.allowed({ name: "a" }, 52)).toBe(4);
    expect(model.allowed({ name: "b" }, 52)).toBeUndefined();
    model.heard(model.sent(1, 60_001), stated(9), 60_002);
    expect(model.allowed({ name: "a" }, 60_002)).toBe(9);
    expect(model.allowed({ name: "a" }, 120_002)).toBeUndefined();
  });

  it("follows only so many limits, whatever names the server makes up", () => {
    const model = createUsageModel();
    const hear = (name: string, nowMs: number) =>
      model.heard(model.sent(1, nowMs), [{ name, limit: 10, remaining: 9, resetAfterMs: 1000 }], nowMs);
    for (let i = 0; i < 1000; i++) hear(`${i}`, 0);
    hear("one more", 0);
    expect(model.allowed({ name: "one more" }, 0)).toBeUndefined();
    // The call after it may have counted for this limit too.
    expect(model.allowed({ name: "999" }, 0)).toBe(9 - 1);
    hear("one more", 1000);
    expect(model.allowed({ name: "one more" }, 1000)).toBe(9);
  });
});
