import { describe, expect, it } from "vitest";
import { errorOf, numbered, world } from "./world.ts";

describe("a deadline", () => {
  it("that cannot be met is known at admission: refused at once, with the exact time and the position", async () => {
    const { api, call } = world("10/min");
    for (let i = 0; i < 15; i++) void call(`${i}`, { maxWaitMs: Infinity });
    const error = await errorOf(api.run(() => 0, { maxWaitMs: 59_999 }));
    expect(error).toMatchObject({ reason: "deadline", position: 5, retryAfterMs: 1, upstream: "api" });
    const patient = await errorOf(api.run(() => 0, { maxWaitMs: 20_000 }));
    expect(patient).toMatchObject({ reason: "deadline", retryAfterMs: 40_000 });
    expect(patient.message).toBe('The call to "api" cannot start in time: 5 go first. Try again in 40.0 s.');
  });

  it("whoever comes again after retryAfterMs is let in, and a millisecond earlier is not", async () => {
    const { clock, api, call } = world("10/min");
    for (let i = 0; i < 25; i++) void call(`${i}`, { maxWaitMs: Infinity });
    const { retryAfterMs } = await errorOf(api.run(() => 0, { maxWaitMs: 15_000 }));
    expect(retryAfterMs).toBe(105_000);
    await clock.advance(retryAfterMs - 1);
    expect(await errorOf(api.run(() => 0, { maxWaitMs: 15_000 }))).toMatchObject({ retryAfterMs: 1 });
    await clock.advance(1);
    const made = api.run(() => "made", { maxWaitMs: 15_000 });
    await clock.advance(15_000);
    expect(await made).toBe("made");
  });

  it("that can just be met is met", async () => {
    const { clock, call, ended } = world("10/min");
    for (let i = 0; i < 20; i++) void call(`${i}`, { maxWaitMs: 60_000 });
    await clock.advance(60_000);
    expect(ended).toHaveLength(20);
    expect(ended.at(-1)).toBe("19 60000");
  });

  it("nothing is charged for who is refused", async () => {
    const { clock, api, call, times } = world("1/s");
    void call("a");
    for (let i = 0; i < 50; i++)
      expect(await errorOf(api.run(() => 0, { maxWaitMs: 10 }))).toMatchObject({ retryAfterMs: 990 });
    await clock.advance(1_000);
    void call("b");
    expect(times()).toEqual([0, 1_000]);
  });

  it("of a call that waits is kept, although others were put before it since", async () => {
    const { clock, api, call } = world("1/s");
    void call("a");
    const left = errorOf(api.run(() => 0, { maxWaitMs: 1_500 }));
    void call("urgent", { priority: "high" });
    void call("too", { priority: "high" });
    await clock.advance(1_499);
    let isOver = false;
    void left.then(() => {
      isOver = true;
    });
    await clock.advance(0);
    expect(isOver).toBe(false);
    await clock.advance(1);
    expect(await left).toMatchObject({ reason: "deadline", position: 1, retryAfterMs: 1_500 });
  });

  it("of calls that wait is reached in their own order, not in that of the line", async () => {
    const { clock, call, ended } = world({ concurrency: 1 });
    void call("runs", {}, 10_000);
    for (const [i, maxWaitMs] of [900, 300, 600, 300].entries()) void call(`${i}`, { maxWaitMs });
    await clock.advance(2_000);
    expect(ended).toEqual(["1 deadline 300", "3 deadline 300", "2 deadline 600", "0 deadline 900"]);
  });

  it("is kept by a process that stood still: a call does not start long after it, though its unit is there", async () => {
    const { clock, call, ended } = world("1/s");
    for (const name of ["a", "b", "c"]) void call(name, { maxWaitMs: 2_500 });
    await clock.advance(100);
    clock.stall(5_000);
    await clock.advance(3_000);
    expect(ended.slice(1).map((one) => one.split(" ", 2).join(" "))).toEqual(["b deadline", "c deadline"]);
  });

  it("counts the costs of those before, and says how many they are", async () => {
    const { api, call } = world("10/min");
    void call("first", { cost: 10 });
    void call("second", { cost: 8, maxWaitMs: Infinity });
    const error = await errorOf(api.run(() => 0, { cost: 3, maxWaitMs: 60_000 }));
    expect(error).toMatchObject({ reason: "deadline", position: 1, retryAfterMs: 60_000 });
    void call("fits", { cost: 2, maxWaitMs: 60_000 });
    expect(api.stats().waiting).toBe(2);
  });

  it("a more urgent call does not count those that it overtakes", async () => {
    const { clock, api, call } = world("10/min");
    for (let i = 0; i < 40; i++) void call(`${i}`, { priority: "low", maxWaitMs: Infinity });
    const made = api.run(() => "made", { priority: "high", maxWaitMs: 60_000 });
    await clock.advance(60_000);
    expect(await made).toBe("made");
  });

  it("calls that cost nothing and go before delay nobody", async () => {
    const { clock, api, call } = world("1/min");
    void call("first");
    for (let i = 0; i < 20; i++) void call("free", { cost: 0, priority: "high", maxWaitMs: Infinity });
    const made = api.run(() => "made", { maxWaitMs: 60_000, priority: "high" });
    await clock.advance(60_000);
    expect(await made).toBe("made");
  });

  it("a call that is made again keeps its place, and is not judged as if it stood behind all", async () => {
    const { clock, call, api } = world({ limit: "2/s", retry: { baseMs: 0 } });
    let attempts = 0;
    const made = api.run(
      () => {
        attempts++;
        if (attempts === 1) throw Object.assign(new Error("lost"), { code: "ECONNRESET" });
        return "made";
      },
      { idempotent: true, maxWaitMs: 1_000 },
    );
    for (let i = 0; i < 30; i++) void call(`${i}`);
    await clock.advance(1_000);
    expect(await made).toBe("made");
  });

  it("maxWaitMs: 0 makes a call now or never", async () => {
    const { clock, api, call } = world("1/s");
    await api.run(() => 0, { maxWaitMs: 0 });
    expect(await errorOf(api.run(() => 0, { maxWaitMs: 0 }))).toMatchObject({
      reason: "deadline",
      retryAfterMs: 1_000,
    });
    await clock.advance(1_000);
    await call("again", { maxWaitMs: 0 });
    expect(api.stats().started).toBe(2);
  });

  it("the default is below the time after which MCP clients give up", async () => {
    const { api, call } = world("1/50s");
    void call("a");
    expect(await errorOf(api.run(() => 0))).toMatchObject({ reason: "deadline", retryAfterMs: 5_000 });
  });

  it("startsInMs of the statistics is when a call starts that comes now", async () => {
    for (const limit of ["10/min", "3/s", "100/s burst 5", "7/day UTC"]) {
      const { clock, api, call, times } = world({ limit, maxWaitMs: Infinity });
      for (const i of numbered(9, String)) void call(i);
      const { startsInMs } = api.stats();
      void call("last");
      await clock.advance(2 * 86_400_000);
      expect(times().at(-1)).toBe(startsInMs);
    }
  });
});
