import { afterEach, describe, expect, it, vi } from "vitest";

describe("the clock of the process", () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.resetModules();
  });

  it("waits for 30 days, longer than a timer can be", async () => {
    vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "performance", "Date", "queueMicrotask"],
      shouldAdvanceTime: false,
    });
    vi.resetModules();
    const { createLimiter } = await import("sluice");
    const limiter = createLimiter({ quota: "1/30d" });
    limiter.consume("a");
    let isServed = false;
    void limiter.wait("a").then(() => {
      isServed = true;
    });
    await vi.advanceTimersByTimeAsync(30 * 86_400_000 - 1);
    expect(isServed).toBe(false);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(isServed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not call before its time, though timers do", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    vi.resetModules();
    const { systemClock } = await import("sluice");
    const early = performance.now.bind(performance);
    let called: number | undefined;
    systemClock.after(10.4, () => {
      called = early();
    });
    const start = early();
    await vi.advanceTimersByTimeAsync(10);
    expect(called).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(called! - start).toBeGreaterThanOrEqual(10.4);
  });
});
