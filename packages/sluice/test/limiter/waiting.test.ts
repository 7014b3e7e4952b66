import { createLimiter, memoryStore, perMinute, RateLimitError } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it, vi } from "vitest";
import { heldStore, settled } from "./held-store.ts";

function setup(quota: Parameters<typeof createLimiter>[0]["quota"], maxWaiting?: number) {
  const clock = manualClock();
  const store = memoryStore({ clock });
  const limiter = createLimiter({ quota, store, ...(maxWaiting !== undefined && { maxWaiting }) });
  const log: string[] = [];
  const start = clock.elapsed();
  /** Waits, and notes when what came of it. */
  const wait = (name: string, options?: Parameters<typeof limiter.wait>[1]) =>
    limiter.wait("a", options).then(
      () => void log.push(`${name} ${(clock.elapsed() - start) / 1000}`),
      (error) => void log.push(`${name} ${(clock.elapsed() - start) / 1000} ${error.code ?? error.message}`),
    );
  return { clock, store, limiter, wait, log };
}

describe("a line", () => {
  it("is first come, first served, whatever the costs: a small one does not overtake a large one", async () => {
    const { clock, limiter, wait, log } = setup("4/s");
    limiter.consume("a", 3);
    for (const [name, cost] of [
      ["large", 4],
      ["small", 1],
      ["free", 0],
      ["middle", 2],
    ] as const)
      void wait(name, { cost });
    await clock.advance(3_000);
    expect(log).toEqual(["large 1000", "small 2000", "free 2000", "middle 2000"]);
  });

  it("closes up when somebody in the middle is cancelled or out of time", async () => {
    const { clock, wait, log, limiter } = setup("1/s");
    const controller = new AbortController();
    limiter.consume("a");
    void wait("first");
    void wait("cancelled", { signal: controller.signal });
    void wait("third");
    void wait("fourth", { maxWaitMs: 4_000 });
    await clock.advance(500);
    controller.abort(new Error("gone"));
    await clock.advance(4_500);
    expect(log).toEqual(["cancelled 500 gone", "first 1000", "third 2000", "fourth 3000"]);
    expect(clock.pending).toBe(0);
  });

  it("lets those go who are out of time because others took the units", async () => {
    const { clock, wait, log, limiter } = setup("1/s");
    limiter.consume("a");
    void wait("first");
    void wait("second", { maxWaitMs: 2_000 });
    void wait("third");
    await clock.advance(999);
    limiter.block("a", 1_501);
    await clock.advance(5_000);
    expect(log).toEqual(["second 2000 RATE_LIMITED", "first 2500", "third 3500"]);
  });

  it("serves at the very deadline, and not a moment after", async () => {
    const { clock, wait, log, limiter } = setup("2/s");
    limiter.consume("a", 2);
    void wait("late", { maxWaitMs: 999 });
    void wait("first", { maxWaitMs: 1_000 });
    void wait("second", { maxWaitMs: 1_000 });
    void wait("third", { maxWaitMs: 1_000 });
    await clock.advance(1_000);
    expect(log).toEqual(["late 0 RATE_LIMITED", "third 0 RATE_LIMITED", "first 1000", "second 1000"]);
    expect(clock.pending).toBe(0);
  });

  it("releases a thousand at one instant", async () => {
    const { clock, limiter } = setup(perMinute(1000));
    limiter.consume("a", 1000);
    const order: number[] = [];
    const all = Array.from({ length: 1000 }, (_, i) => limiter.wait("a").then(() => order.push(i)));
    await clock.advance(60_000);
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(limiter.peek("a", 0).remaining).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("refuses whoever is one too many, at once, with the time that he would have waited", async () => {
    const { limiter } = setup("1/s", 2);
    limiter.consume("a");
    void limiter.wait("a");
    void limiter.wait("a");
    await expect(limiter.wait("a")).rejects.toMatchObject({ decision: { allowed: false, retryAfterMs: 3_000 } });
    expect(limiter.peek("b").allowed).toBe(true);
  });

  it("is a line of its own for every key, and for every list of keys", async () => {
    const { clock, limiter } = setup("1/s");
    limiter.consume(["a", "b"]);
    const done: string[] = [];
    void limiter.wait(["a", "b"]).then(() => done.push("both"));
    void limiter.wait("c").then(() => done.push("c"));
    await settled();
    expect(done).toEqual(["c"]);
    await clock.advance(1_000);
    expect(done).toEqual(["c", "both"]);
  });

  it.each([-1, Number.NaN, "5", null])("refuses to wait for %j ms", async (maxWaitMs) => {
    const { limiter } = setup("1/s");
    await expect(limiter.wait("a", { maxWaitMs: maxWaitMs as number })).rejects.toThrow("maxWaitMs must be a number");
  });

  it("tells the listener of what was let through and of what was refused, and survives it", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const heard: string[] = [];
    const limiter = createLimiter({
      quota: "1/min",
      onDecision({ key, cost, decision }) {
        heard.push(`${key} ${cost} ${decision.allowed}`);
        throw new Error("listener");
      },
    });
    expect(limiter.consume("a").allowed).toBe(true);
    await expect(limiter.wait("a", { maxWaitMs: 10 })).rejects.toBeInstanceOf(RateLimitError);
    await expect(limiter.wait("b", { cost: 0 })).resolves.toMatchObject({ allowed: true });
    expect(heard).toEqual(["a 1 true", "a 1 false", "b 0 true"]);
    expect(error).toHaveBeenCalledTimes(1);
    error.mockRestore();
  });
});

describe("no time at all", () => {
  it("is enough when the units are there, even for many who ask at once", async () => {
    const clock = manualClock();
    const store = heldStore(clock);
    const limiter = createLimiter({ quota: "2/s", store });
    const outcomes = [1, 2, 3].map(() =>
      limiter.wait("a", { maxWaitMs: 0 }).then(
        () => "served",
        (error) => error.code,
      ),
    );
    await settled();
    while (store.asked > 0) await store.answer();
    expect(await Promise.all(outcomes)).toEqual(["served", "served", "RATE_LIMITED"]);
    expect(clock.pending).toBe(0);
  });

  it("is not enough behind somebody who waits", async () => {
    const { clock, wait, log } = setup("2/s");
    void wait("first", { cost: 1 });
    void wait("second", { cost: 2 });
    void wait("small", { maxWaitMs: 0 });
    await clock.advance(1_000);
    expect(log).toEqual(["first 0", "small 0 RATE_LIMITED", "second 1000"]);
  });
});

describe("a store that throws", () => {
  it("throws to the caller of wait, at once", async () => {
    const store = memoryStore();
    const limiter = createLimiter({
      quota: ["1/s", "2/min"],
      store: {
        ...store,
        take: () => {
          throw new Error("broken");
        },
      },
    });
    await expect(limiter.wait("a")).rejects.toThrow("broken");
    await expect(limiter.wait("a")).rejects.toThrow("broken");
    expect(() => limiter.consume("a")).toThrow("broken");
  });
});

describe("signals and lines that never were", () => {
  it("leave nothing behind when the signal had aborted before", async () => {
    const { clock, limiter } = setup("1/s");
    limiter.consume("a");
    await expect(limiter.wait("a", { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    expect(clock.pending).toBe(0);
    expect(limiter.peek("a", 0).remaining).toBe(0);
  });

  it("take off their listeners", async () => {
    const { clock, limiter } = setup("1/s");
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, "removeEventListener");
    const added = vi.spyOn(controller.signal, "addEventListener");
    for (let i = 0; i < 3; i++) void limiter.wait("a", { signal: controller.signal });
    await clock.advance(3_000);
    expect(added).toHaveBeenCalledTimes(3);
    expect(removed).toHaveBeenCalledTimes(3);
  });
});
