import { memoryStore } from "sluice";
import { createUpstreams } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { describe, expect, it, vi } from "vitest";
import { world } from "./world.ts";

const DAY = 86_400_000;

describe("timers", () => {
  it("a limit beyond 24.8 days waits that long", async () => {
    const { clock, call, times, api } = world({ limit: "1/30d", maxWaitMs: Infinity });
    for (let i = 0; i < 3; i++) void call(`${i}`);
    await clock.advance(25 * DAY);
    expect(times()).toEqual([0]);
    expect(api.stats().startsInMs).toBe(65 * DAY);
    await clock.advance(40 * DAY);
    expect(times()).toEqual([0, 30 * DAY, 60 * DAY]);
  });

  it("the real clock is not asked for a timer that would fire at once", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      const set = vi.spyOn(globalThis, "setTimeout");
      const { api, close } = createUpstreams(
        { api: { limit: "1/30d", maxWaitMs: Infinity } },
        { store: memoryStore() },
      );
      for (let i = 0; i < 5; i++) void api.run(() => i).catch(() => {});
      expect(set).toHaveBeenCalled();
      for (const [, ms] of set.mock.calls) expect(ms).toBeLessThan(2 ** 31);
      void close();
    } finally {
      vi.useRealTimers();
    }
  });

  it("one timer for all upstreams of a clock, whoever waits for whatever", async () => {
    const clock = manualClock();
    let live = 0;
    let most = 0;
    const counted = {
      ...clock,
      after(ms: number, callback: () => void) {
        live++;
        most = Math.max(most, live);
        let isOver = false;
        const over = () => {
          if (!isOver) live--;
          isOver = true;
        };
        const cancel = clock.after(ms, () => {
          over();
          callback();
        });
        return () => {
          over();
          cancel();
        };
      },
    };
    const store = memoryStore({ clock: counted });
    const { a, b, c, close } = createUpstreams(
      {
        a: { limit: ["2/s", "100/min"], maxWaitMs: 20_000 },
        b: { limit: "3/s", pace: "smooth", timeoutMs: 500 },
        c: { limit: { rate: "1/s", per: "tenant", anchor: "end" }, retry: { baseMs: 1_000 } },
      },
      { store },
    );
    const failing = () => Promise.reject(Object.assign(new Error("lost"), { code: "ECONNRESET" }));
    for (let i = 0; i < 30; i++) {
      void a.run(() => i, { maxWaitMs: 20_000 + i });
      void b.run(() => new Promise(() => {})).catch(() => {});
      void c.run(failing, { tenant: `${i % 3}`, idempotent: true }).catch(() => {});
    }
    await clock.advance(30_000);
    expect(a.stats().started).toBe(30);
    expect(most).toBe(1);
    expect(live).toBe(0);
    await close();
  });

  it("nobody who waits: no timer", async () => {
    const { clock, call } = world({ limit: "2/s", timeoutMs: 1_000 });
    for (let i = 0; i < 5; i++) void call(`${i}`);
    expect(clock.pending).toBe(1);
    await clock.advance(2_000);
    expect(clock.pending).toBe(0);
  });

  it("a wall clock that is set back or forward an hour changes nothing for windows", async () => {
    const { clock, call, times } = world("1/s");
    for (let i = 0; i < 4; i++) void call(`${i}`);
    clock.stepWall(-3_600_000);
    await clock.advance(1_500);
    clock.stepWall(7_200_000);
    await clock.advance(10_000);
    expect(times()).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it("a wall clock that is set back before a midnight keeps the quota of the day", async () => {
    const { clock, call, times } = world({ limit: "2/day UTC", maxWaitMs: Infinity });
    for (let i = 0; i < 3; i++) void call(`${i}`);
    await clock.advance(DAY - 3_600_000);
    clock.stepWall(-3_600_000);
    await clock.advance(3_600_000);
    expect(times()).toEqual([0, 0]);
    await clock.advance(3_600_000);
    expect(times()).toEqual([0, 0, DAY + 3_600_000]);
  });

  it("a stalled event loop bunches nothing beyond the limit", async () => {
    const { clock, call, times } = world({ limit: "10/s", maxWaitMs: Infinity });
    for (let i = 0; i < 60; i++) void call(`${i}`);
    for (let i = 0; i < 10; i++) {
      clock.stall(i % 2 === 0 ? 2_345 : 17);
      await clock.advance(900);
    }
    const starts = times();
    for (const at of starts)
      expect(starts.filter((one) => one >= at && one < at + 1_000).length).toBeLessThanOrEqual(10);
    expect(starts).toHaveLength(60);
  });
});
