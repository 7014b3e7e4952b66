import { memoryStore } from "sluice";
import { createUpstreams } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { world } from "./world.ts";

const gaps = (times: readonly number[]) => times.slice(1).map((at, i) => at - times[i]!);

describe("pace", () => {
  it("without one, all start at once that may", async () => {
    const { call, times } = world("10/s");
    for (let i = 0; i < 10; i++) void call(`${i}`);
    expect(times()).toEqual(Array(10).fill(0));
  });

  it("smooth: up to half of the limit nothing, then further and further apart, up to the even pace", async () => {
    const { clock, call, times } = world({ limit: "20/10s", pace: "smooth" });
    for (let i = 0; i < 20; i++) void call(`${i}`);
    await clock.advance(10_000);
    const spaces = gaps(times());
    expect(spaces.slice(0, 10)).toEqual(Array(10).fill(0));
    for (const [i, space] of spaces.slice(11).entries()) expect(space).toBeGreaterThan(spaces[10 + i]!);
    expect(Math.max(...spaces)).toBeLessThanOrEqual(500);
  });

  it("smooth: at saturation no slower than the even pace", async () => {
    const { clock, call, times } = world({ limit: "20/10s", pace: "smooth", maxWaitMs: Infinity });
    for (let i = 0; i < 200; i++) void call(`${i}`);
    await clock.advance(200_000);
    expect(times()).toHaveLength(200);
    expect(times().at(-1)).toBeLessThanOrEqual(200 * 500);
    expect(times().at(-1)).toBeGreaterThanOrEqual(90_000);
  });

  it("smooth: timers that are late do not make it slower than the even pace", async () => {
    const clock = manualClock();
    // As in Node: whole milliseconds, and now and then one more.
    let timers = 0;
    const late = {
      ...clock,
      after: (ms: number, callback: () => void) => clock.after(Math.ceil(ms) + (++timers % 2), callback),
    };
    const { api } = createUpstreams(
      { api: { limit: "300/s", pace: "smooth", maxWaitMs: Infinity } },
      { store: memoryStore({ clock: late }) },
    );
    const begin = clock.elapsed();
    let last = 0;
    for (let i = 0; i < 1_500; i++) void api.run(() => (last = clock.elapsed() - begin));
    await clock.advance(8_000);
    expect(api.stats().started).toBe(1_500);
    expect(last / 1000).toBeLessThanOrEqual(5_010);
  });

  it("a longer delay is not made up for: nobody starts in a heap after it", async () => {
    const { clock, call, times } = world({ limit: "100/10s", pace: [[0, 100]] });
    for (let i = 0; i < 20; i++) void call(`${i}`);
    await clock.advance(500);
    clock.stall(5_000);
    const before = times().length;
    await clock.advance(250);
    expect(times().length - before).toBeLessThanOrEqual(3);
  });

  it("legacy: 0, 100, 500 and 2000 ms from 0, 0.5, 0.7 and 0.9 of the limit on", async () => {
    const { clock, call, times } = world({ limit: "10/h", pace: "legacy" });
    for (let i = 0; i < 10; i++) void call(`${i}`);
    await clock.advance(10_000);
    expect(gaps(times())).toEqual([0, 0, 0, 0, 100, 100, 500, 500, 2_000]);
  });

  it("it moves the next start, and makes no caller sleep: after a while of rest the next one starts at once", async () => {
    const { clock, call, times } = world({ limit: "10/h", pace: "legacy" });
    for (let i = 0; i < 9; i++) void call(`${i}`);
    await clock.advance(60_000);
    void call("at once");
    expect(times().at(-1)).toBe(60_000);
  });

  it("the most urgent has the next start, whoever came first", async () => {
    const { clock, call, names } = world({ limit: "100/h", pace: [[0, 1_000]] });
    void call("first");
    void call("low", { priority: "low" });
    await clock.advance(500);
    void call("high", { priority: "high" });
    await clock.advance(5_000);
    expect(names()).toBe("first high low");
  });

  it("several limits: the one that is nearest to its end sets the pace", async () => {
    const { clock, call, times } = world({ limit: ["100/h", "4/day UTC"], pace: [[0.5, 1_000]] });
    for (let i = 0; i < 4; i++) void call(`${i}`);
    await clock.advance(10_000);
    expect(times()).toEqual([0, 0, 1_000, 2_000]);
  });

  it("the deadline of a call that waits for the pace is known at admission", async () => {
    const { call, ended, clock } = world({ limit: "100/h", pace: [[0, 1_000]] });
    void call("first");
    void call("patient", { maxWaitMs: 1_000 });
    void call("hasty", { maxWaitMs: 900 });
    await clock.advance(0);
    expect(ended.toSorted()).toEqual(["first 0", "hasty deadline 0"]);
    await clock.advance(1_000);
    expect(ended).toContain("patient 1000");
  });
});
