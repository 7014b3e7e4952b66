import { describe, expect, it } from "vitest";
import { errorOf, numbered, world } from "./world.ts";

describe("the queue", () => {
  it("is first in, first out, whatever the costs: a small one does not overtake a large one", async () => {
    const { clock, call, started } = world("4/s");
    void call("first", { cost: 3 });
    for (const [name, cost] of [
      ["large", 4],
      ["small", 1],
      ["free", 0],
      ["middle", 2],
    ] as const)
      void call(name, { cost });
    await clock.advance(3_000);
    expect(started.map(({ name, at }) => `${name} ${at}`)).toEqual([
      "first 0",
      "large 1000",
      "small 2000",
      "free 2000",
      "middle 2000",
    ]);
  });

  it("a call that comes when a unit is free but others wait stands behind them", async () => {
    const { clock, call, names } = world({ limit: "2/s" });
    void call("a");
    await clock.advance(500);
    void call("heavy", { cost: 2 });
    await clock.advance(600);
    void call("light");
    await clock.advance(2_000);
    expect(names()).toBe("a heavy light");
  });

  it("high goes before normal, and normal before low", async () => {
    const { clock, call, names } = world("1/s");
    void call("first");
    for (const priority of ["low", "normal", "high", "low", "normal", "high"] as const)
      void call(priority, { priority });
    await clock.advance(10_000);
    expect(names()).toBe("first high high normal normal low low");
  });

  it("starvation bound: normal is overtaken by high only of the 10 s after it, low of 30 s and by normal of 20 s", async () => {
    const { clock, call, started } = world("1/s");
    void call("first");
    void call("low", { priority: "low", maxWaitMs: Infinity });
    void call("normal", { maxWaitMs: Infinity });
    for (let second = 0; second < 60; second++) {
      void call(`h${second}`, { priority: "high", maxWaitMs: Infinity });
      if (second % 2 === 0) void call(`n${second}`, { maxWaitMs: Infinity });
      await clock.advance(1_000);
    }
    await clock.advance(60_000);
    const order = started.map(({ name }) => name);
    const before = (name: string, kind: string) =>
      order.slice(0, order.indexOf(name)).filter((one) => one.startsWith(kind));
    expect(before("normal", "h")).toEqual(numbered(11, (i) => `h${i}`));
    expect(before("low", "h")).toEqual(numbered(31, (i) => `h${i}`));
    expect(before("low", "n").at(-1)).toBe("n20");
  });

  it("fair between tenants: they take turns, however many calls one of them has", async () => {
    const { clock, call, names } = world("1/s");
    void call("first");
    for (let i = 0; i < 4; i++) void call("a", { tenant: "a" });
    for (let i = 0; i < 2; i++) void call("b", { tenant: "b" });
    void call("c", { tenant: "c" });
    await clock.advance(10_000);
    expect(names()).toBe("first a b c a b a a");
  });

  it("fair between tenants: turns are counted in units, not in calls", async () => {
    const { clock, call, names } = world("2/s");
    void call("first", { cost: 2 });
    for (let i = 0; i < 4; i++) void call("heavy", { tenant: "a", cost: 2 });
    for (let i = 0; i < 8; i++) void call("light", { tenant: "b" });
    await clock.advance(20_000);
    const share = names().split(" ").slice(1, 7);
    expect(share.filter((name) => name === "heavy")).toHaveLength(2);
  });

  it("fair between tenants: who comes back after a while has saved up no turns, and who left at once is not forgiven", async () => {
    const { clock, call, names } = world("1/s");
    void call("first");
    for (let i = 0; i < 3; i++) void call("a", { tenant: "a" });
    await clock.advance(3_000);
    for (let i = 0; i < 3; i++) void call("A", { tenant: "a" });
    for (let i = 0; i < 3; i++) void call("b", { tenant: "b" });
    await clock.advance(10_000);
    // Were turns saved up, all of b would go before A.
    expect(names()).toBe("first a a a b A b A b A");
  });

  it("a priority orders the calls of one tenant, and does not take turns from another", async () => {
    const { clock, call, names } = world("1/s");
    void call("first");
    for (let i = 0; i < 3; i++) void call("high", { tenant: "a", priority: "high" });
    for (let i = 0; i < 2; i++) void call("low", { tenant: "b", priority: "low" });
    await clock.advance(10_000);
    expect(names()).toBe("first high low high low high");
  });

  it("maxQueue: who comes when so many wait is refused at once, with the position and the time", async () => {
    const { api, call, clock, names } = world({ limit: "1/s", maxQueue: 2 });
    for (const name of ["a", "b", "c"]) void call(name);
    const error = await errorOf(api.run(() => 0));
    expect(error).toMatchObject({ reason: "queue-full", position: 2, retryAfterMs: 1_000 });
    expect(error.message).toBe('Too many calls wait for "api" already: 2. Try again in 1.0 s.');
    await clock.advance(1_000);
    void call("d");
    await clock.advance(3_000);
    expect(names()).toBe("a b c d");
  });

  it("maxQueue: 0 lets nobody wait, and those start that need not", async () => {
    const { api, call, times } = world({ limit: "2/s", maxQueue: 0 });
    void call("a");
    void call("b");
    expect(await errorOf(api.run(() => 0))).toMatchObject({ reason: "queue-full", position: 0 });
    expect(times()).toEqual([0, 0]);
  });

  it("a retry comes back in spite of maxQueue, at its old place", async () => {
    const { clock, call, api, names } = world({ limit: "1/s", maxQueue: 2, retry: { baseMs: 0 } });
    let attempts = 0;
    void api.run(
      () => {
        attempts++;
        if (attempts === 1) throw Object.assign(new Error("lost"), { code: "ECONNRESET" });
      },
      { idempotent: true },
    );
    void call("a");
    void call("b");
    await clock.advance(1_000);
    expect(attempts).toBe(2);
    await clock.advance(3_000);
    expect(names()).toBe("a b");
  });

  it("onQueued is told where the call stands, now and later; who starts at once hears nothing", async () => {
    const { clock, api, call } = world("1/s");
    const told: unknown[] = [];
    let standing: { position: number; startsInMs: number } | undefined;
    await api.run(() => 0, { onQueued: (one) => told.push(one) });
    void call("a");
    void api.run(() => 0, {
      onQueued(one) {
        standing = one;
        told.push({ position: one.position, startsInMs: one.startsInMs });
      },
    });
    expect(told).toEqual([{ position: 1, startsInMs: 2_000 }]);
    await clock.advance(400);
    expect(standing).toMatchObject({ position: 1, startsInMs: 1_600 });
    void call("urgent", { priority: "high" });
    expect(standing).toMatchObject({ position: 2, startsInMs: 2_600 });
    await clock.advance(5_000);
    expect(standing).toMatchObject({ position: 0, startsInMs: 0, isWaiting: false });
  });

  it("what onQueued throws harms nobody", async () => {
    const { clock, api, call } = world("1/s");
    void call("a");
    const made = api.run(() => "made", {
      onQueued: () => {
        throw new Error("broken listener");
      },
    });
    await clock.advance(2_000);
    expect(await made).toBe("made");
  });

  it("thousands that wait start in their order, and the event loop has its turns in between", async () => {
    const { clock, call, started } = world({ limit: "10000/s", maxQueue: Infinity });
    void call("first", { cost: 10_000 });
    for (let i = 0; i < 3_000; i++) void call(`${i}`);
    clock.advanceSync(1_010);
    expect(started.length).toBeLessThan(1_000);
    await clock.advance(1);
    await clock.advance(1);
    while (started.length < 3_001) await clock.advance(1);
    expect(started.slice(1).map(({ name }) => name)).toEqual(numbered(3_000, String));
  });
});
