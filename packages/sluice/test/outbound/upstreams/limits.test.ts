import { describe, expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { errorOf, numbered, world } from "./world.ts";

describe("limits", () => {
  it("per second: the eleventh call of a second starts when the first one is a second old", async () => {
    const { clock, call, times } = world("10/s");
    for (let i = 0; i < 25; i++) void call(`${i}`);
    await clock.advance(5_000);
    expect(times()).toEqual([...Array(10).fill(0), ...Array(10).fill(1_000), ...Array(5).fill(2_000)]);
  });

  it("rolling window: each unit comes back one period after its own start, not at the edge of a window", async () => {
    const { clock, call, times } = world("3/min");
    for (const at of [0, 50_000, 55_000, 59_000]) {
      await clock.advance(at - (clock.elapsed() - 1_000_000) / 1000);
      for (let i = 0; i < 2; i++) void call(`${at}`, { maxWaitMs: Infinity });
    }
    await clock.advance(300_000);
    expect(times()).toEqual([0, 0, 50_000, 60_000, 60_000, 110_000, 120_000, 120_000]);
    expect(worstWindow(times(), 60_000)).toBe(3);
  });

  it("calendar day in a time zone: units come back at midnight there", async () => {
    const { clock, call, times, api } = world("2/day Asia/Tokyo");
    for (let i = 0; i < 3; i++) void call(`${i}`, { maxWaitMs: Infinity });
    expect(api.stats().startsInMs).toBe(15 * 3_600_000);
    await clock.advance(24 * 3_600_000);
    expect(times()).toEqual([0, 0, 15 * 3_600_000]);
  });

  it("calendar month: units come back on the first, 31 days later for January", async () => {
    const { clock, call, times } = world("1/month UTC");
    for (let i = 0; i < 3; i++) void call(`${i}`, { maxWaitMs: Infinity });
    await clock.advance(70 * 86_400_000);
    expect(times()).toEqual([0, 31 * 86_400_000, 59 * 86_400_000]);
  });

  it("several at once: all of them hold", async () => {
    const { clock, call, times } = world(["3/s", "5/min", "100/day UTC"]);
    for (let i = 0; i < 12; i++) void call(`${i}`, { maxWaitMs: Infinity });
    await clock.advance(180_000);
    expect(times()).toEqual([0, 0, 0, 1_000, 1_000, 60_000, 60_000, 60_000, 61_000, 61_000, 120_000, 120_000]);
  });

  it("several at once: who is refused by one takes nothing from the others", async () => {
    const { clock, call, times } = world(["2/s", "3/min"]);
    for (let i = 0; i < 3; i++) void call(`${i}`, { maxWaitMs: 1_500 });
    await clock.advance(2_000);
    for (let i = 0; i < 5; i++) void call("refused", { maxWaitMs: 100 });
    await clock.advance(58_000);
    void call("a");
    void call("b");
    expect(times()).toEqual([0, 0, 1_000, 60_000, 60_000]);
  });

  it("cost: a call takes as many units as it costs, and none if it costs nothing", async () => {
    const { clock, call, started } = world("10/s");
    for (const cost of [6, 0, 5, 3, 0]) void call(`${cost}`, { cost });
    await clock.advance(3_000);
    expect(started.map(({ name, at }) => `${name} ${at}`)).toEqual(["6 0", "0 0", "5 1000", "3 1000", "0 1000"]);
  });

  it("cost above the limit: refused at once and for ever, and nothing is taken", async () => {
    const { api, call, times } = world(["10/s", "5/min"]);
    const error = await errorOf(api.run(() => 0, { cost: 6 }));
    expect(error).toMatchObject({ name: "OutboundError", reason: "quota", retryAfterMs: Infinity, upstream: "api" });
    expect(error.message).toBe('The call to "api" costs 6, but a limit has only 5 at all: it can never start.');
    void call("all", { cost: 5 });
    expect(times()).toEqual([0]);
  });

  it("a bucket allows its burst at once, and a call may cost as much as the burst", async () => {
    const { clock, call, times, api } = world("10/s burst 20");
    for (let i = 0; i < 22; i++) void call(`${i}`);
    void call("all", { cost: 20 });
    await clock.advance(5_000);
    expect(times()).toEqual([...Array(20).fill(0), 100, 200, 2_200]);
    expect(await errorOf(api.run(() => 0, { cost: 21 }))).toMatchObject({ reason: "quota" });
  });

  it("report({ cost }): what was taken too much is there at once for those who wait", async () => {
    const { clock, api, call, later, times } = world("10/s");
    void api.run(
      async ({ report }) => {
        await later(100, 0);
        report({ cost: 2 });
      },
      { cost: 10 },
    );
    for (const cost of [8, 1]) void call(`${cost}`, { cost });
    await clock.advance(50);
    expect(times()).toEqual([]);
    await clock.advance(100);
    expect(times()).toEqual([100]);
    await clock.advance(2_000);
    expect(times()).toEqual([100, 1_000]);
  });

  it("report({ cost }): what was taken too little is charged, beyond the limit too", async () => {
    const { clock, api, call, times } = world("10/s");
    await api.run(({ report }) => report({ cost: 5 }), { cost: 9 });
    await api.run(({ report }) => report({ cost: 20 }), { cost: 5 });
    for (let i = 0; i < 2; i++) void call(`${i}`);
    await clock.advance(500);
    expect(times()).toEqual([]);
    await clock.advance(5_000);
    expect(times()).toEqual([1_000, 1_000]);
  });

  it("report({ cost }): the last word counts, and said twice it counts once", async () => {
    const { api, call, times } = world("10/s");
    await api.run(({ report }) => {
      report({ cost: 9 });
      report({ cost: 4 });
      report({ cost: 4 });
    });
    for (let i = 0; i < 7; i++) void call(`${i}`);
    expect(times()).toHaveLength(6);
  });

  it("concurrency: so many calls at once, whatever they cost; the next starts when one ends", async () => {
    const { clock, call, times, api } = world({ concurrency: 2, limit: "100/s" });
    void call("a", { cost: 50 }, 300);
    void call("b", {}, 100);
    void call("c", {}, 100);
    void call("d", {}, 100);
    expect(api.stats()).toMatchObject({ running: 2, waiting: 2 });
    await clock.advance(1_000);
    expect(times()).toEqual([0, 0, 100, 200]);
    expect(api.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  it("concurrency: a call that throws at once gives its place back", async () => {
    const { api, call, times } = world({ concurrency: 1, retry: false });
    await errorOf(
      api.run(() => {
        throw new Error("no");
      }),
    );
    await call("next");
    expect(times()).toEqual([0]);
  });

  it("no limit at all: everything starts at once", async () => {
    const { api } = world({});
    expect(await Promise.all(numbered(1_000, (i) => api.run(() => i)))).toHaveLength(1_000);
    expect(api.stats()).toMatchObject({ started: 1_000, waiting: 0, running: 0, startsInMs: 0 });
  });
});
