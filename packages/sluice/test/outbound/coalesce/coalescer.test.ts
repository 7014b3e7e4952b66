import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { type CoalescerOptions, createCoalescer } from "../../../src/outbound/coalesce/coalescer.ts";

/** A coalescer, and an upstream whose calls end when the test says so. */
function setUp(options: CoalescerOptions = {}) {
  const clock = manualClock();
  const coalescer = createCoalescer({ clock, ...options });
  const calls: (PromiseWithResolvers<unknown> & { readonly signal: AbortSignal })[] = [];
  const start = (signal: AbortSignal): Promise<unknown> => {
    const call = { ...Promise.withResolvers<unknown>(), signal };
    calls.push(call);
    return call.promise;
  };
  const run = (key = "k", runOptions: Parameters<typeof coalescer.run>[1] = {}) =>
    coalescer.run(key, runOptions, start);
  /** A call that is made and answered. */
  const fill = async (key: string, value: unknown, ttlMs: number) => {
    const answer = run(key, { ttlMs });
    calls.at(-1)!.resolve(value);
    return answer;
  };
  return { clock, coalescer, calls, run, fill };
}

const leaver = () => {
  const controller = new AbortController();
  return { leave: (reason?: unknown) => controller.abort(reason), signal: controller.signal };
};

describe("concurrent equal calls", () => {
  it("make one upstream call, whose answer all of them get", async () => {
    const { calls, run, coalescer } = setUp();
    const answers = [run(), run("k", leaver()), run()];
    expect(calls).toHaveLength(1);
    calls[0]!.resolve("a");
    expect(await Promise.all(answers)).toEqual(["a", "a", "a"]);
    expect(coalescer.stats()).toMatchObject({ started: 1, joined: 2, running: 0 });
  });

  it("start at once, in the turn in which the first is made", () => {
    const { calls, run } = setUp();
    void run();
    expect(calls).toHaveLength(1);
  });

  it("with other keys are other calls", () => {
    const { calls, run } = setUp();
    void run("a");
    void run("b");
    expect(calls).toHaveLength(2);
  });

  it("after the answer, without a TTL, are new calls: even in the very turn in which it came", async () => {
    const { calls, run } = setUp();
    const again = run().then(() => run());
    calls[0]!.resolve("a");
    await Promise.resolve();
    await new Promise(setImmediate);
    expect(calls).toHaveLength(2);
    calls[1]!.resolve("b");
    expect(await again).toBe("b");
  });
});

describe("leaving", () => {
  it("gives the one who leaves his own reason at once, and touches no other: even if he came first", async () => {
    const { calls, run } = setUp();
    const first = leaver();
    const answers = [run("k", first), run("k", leaver()), run()];
    first.leave("enough");
    await expect(answers[0]).rejects.toBe("enough");
    expect(calls[0]!.signal.aborted).toBe(false);
    calls[0]!.resolve("a");
    expect(await Promise.all(answers.slice(1))).toEqual(["a", "a"]);
  });

  it("aborts the call when all have left, with the last one's reason", async () => {
    const { calls, run } = setUp();
    const callers = [leaver(), leaver()];
    const answers = Promise.allSettled(callers.map((caller) => run("k", caller)));
    callers[0]!.leave("one");
    expect(calls[0]!.signal.aborted).toBe(false);
    callers[1]!.leave("two");
    expect(calls[0]!.signal.reason).toBe("two");
    expect(await answers).toMatchObject([{ reason: "one" }, { reason: "two" }]);
  });

  it("of all makes the next call a new one, and what the aborted one still says is for nobody", async () => {
    const { calls, run } = setUp();
    const first = leaver();
    const left = run("k", { signal: first.signal, ttlMs: 1_000 });
    first.leave();
    await expect(left).rejects.toThrow();
    const second = run("k", { ttlMs: 1_000 });
    expect(calls).toHaveLength(2);
    calls[0]!.resolve("old");
    await new Promise(setImmediate);
    const third = run("k", { ttlMs: 1_000 });
    expect(calls).toHaveLength(2);
    calls[1]!.resolve("new");
    expect(await Promise.all([second, third])).toEqual(["new", "new"]);
    expect(await run("k", { ttlMs: 1_000 })).toBe("new");
  });

  it("is no business of a call that is over", async () => {
    const { calls, run } = setUp();
    const caller = leaver();
    const answer = run("k", caller);
    calls[0]!.resolve("a");
    await answer;
    caller.leave();
    expect(calls[0]!.signal.aborted).toBe(false);
  });

  it("before the call makes none", async () => {
    const { calls, run } = setUp();
    await expect(run("k", { signal: AbortSignal.abort("no") })).rejects.toBe("no");
    expect(calls).toHaveLength(0);
  });

  it("leaves no listener on a signal that outlives the call", async () => {
    const { calls, run } = setUp();
    const { signal } = leaver();
    const listeners: unknown[] = [];
    signal.addEventListener = (...[, listener]: unknown[]) => void listeners.push(listener);
    signal.removeEventListener = (...[, listener]: unknown[]) => void listeners.splice(listeners.indexOf(listener), 1);
    const answers = Promise.allSettled([run("a", { signal }), run("b", { signal })]);
    expect(listeners).toHaveLength(2);
    calls[0]!.resolve("a");
    calls[1]!.reject(new Error("b"));
    await answers;
    expect(listeners).toEqual([]);
  });
});

describe("errors", () => {
  it("are shared by those who wait, and not kept", async () => {
    const { calls, run, fill } = setUp();
    const answers = Promise.allSettled([run("k", { ttlMs: 1_000 }), run("k", { ttlMs: 1_000, ...leaver() })]);
    const error = new Error("down");
    calls[0]!.reject(error);
    expect(await answers).toMatchObject([{ reason: error }, { reason: error }]);
    expect(await fill("k", "up", 1_000)).toBe("up");
    expect(calls).toHaveLength(2);
  });

  it("that are thrown at once are the same", async () => {
    const { coalescer } = setUp();
    const failing = coalescer.run("k", {}, () => {
      throw new Error("at once");
    });
    await expect(failing).rejects.toThrow("at once");
    expect(coalescer.stats().running).toBe(0);
  });
});

describe("what is kept", () => {
  it("counts its time from when the answer came", async () => {
    const { clock, calls, run } = setUp();
    const first = run("k", { ttlMs: 100 });
    await clock.advance(5_000);
    calls[0]!.resolve("a");
    await first;
    await clock.advance(99);
    expect(await run("k", { ttlMs: 100 })).toBe("a");
    await clock.advance(1);
    void run("k", { ttlMs: 100 });
    expect(calls).toHaveLength(2);
  });

  it("is never older than the caller who gets it will take, whoever made the call", async () => {
    const { clock, calls, run, fill } = setUp();
    await fill("k", "a", 1_000);
    await clock.advance(50);
    expect(await run("k", { ttlMs: 51 })).toBe("a");
    void run("k", { ttlMs: 50 });
    expect(calls).toHaveLength(2);
  });

  it("is kept for the longest time that those who waited asked for", async () => {
    const { clock, calls, run } = setUp();
    const answers = [run("k", {}), run("k", { ttlMs: 500 })];
    calls[0]!.resolve("a");
    await Promise.all(answers);
    await clock.advance(499);
    expect(await run("k", { ttlMs: 500 })).toBe("a");
  });

  it("has a bound of entries: what was not asked for longest leaves first", async () => {
    const { calls, run, fill, coalescer } = setUp({ maxEntries: 2 });
    await fill("a", "A", 1_000);
    await fill("b", "B", 1_000);
    await run("a", { ttlMs: 1_000 });
    await fill("c", "C", 1_000);
    expect(coalescer.stats().kept).toBe(2);
    expect(await run("a", { ttlMs: 1_000 })).toBe("A");
    void run("b", { ttlMs: 1_000 });
    expect(calls).toHaveLength(4);
  });

  it("has a bound of bytes, and keeps nothing that alone is beyond it", async () => {
    const sizeOf = (value: unknown) => (value as string).length;
    const { fill, coalescer } = setUp({ maxBytes: 10, sizeOf });
    await fill("a", "x".repeat(6), 1_000);
    await fill("b", "x".repeat(6), 1_000);
    expect(coalescer.stats()).toMatchObject({ kept: 1, bytes: 6 });
    await fill("c", "x".repeat(11), 1_000);
    expect(coalescer.stats()).toMatchObject({ kept: 1, bytes: 6 });
    await fill("b", "x", 0);
    coalescer.clear();
    expect(coalescer.stats()).toMatchObject({ kept: 0, bytes: 0 });
  });

  it("goes away when its time is over, with one timer for all, and with none when nothing is kept", async () => {
    const { clock, fill, coalescer } = setUp();
    for (let i = 0; i < 50; i++) await fill(`${i}`, i, 100);
    await fill("long", 0, 5_000);
    expect(clock.pending).toBe(1);
    await clock.advance(1_000);
    expect(coalescer.stats().kept).toBe(1);
    await clock.advance(5_000);
    expect([coalescer.stats().kept, clock.pending]).toEqual([0, 0]);
  });

  it("is asked for in the background: it keeps no process alive", async () => {
    const clock = manualClock();
    const isBackground: unknown[] = [];
    const after: typeof clock.after = (ms, callback, flag) => {
      isBackground.push(flag);
      return clock.after(ms, callback);
    };
    const { fill } = setUp({ clock: { ...clock, after } });
    await fill("k", "a", 100);
    expect(isBackground).toEqual([true]);
  });

  it("comes as one of his own to each caller who wants to change it", async () => {
    const { run, fill, calls } = setUp();
    const value = { list: [1] };
    const own = (await Promise.all([
      run("k", { ttlMs: 1_000, clone: structuredClone }),
      run("k", { clone: structuredClone }),
      calls[0]!.resolve(value),
    ])) as unknown as [typeof value, typeof value];
    own[0].list.push(2);
    expect(own[1]).toEqual({ list: [1] });
    expect(await run("k", { ttlMs: 1_000, clone: structuredClone })).toEqual({ list: [1] });
    expect(await run("k", { ttlMs: 1_000 })).toBe(value);
    await fill("other", undefined, 1_000);
    expect(await run("other", { ttlMs: 1_000 })).toBeUndefined();
    expect(calls).toHaveLength(2);
  });
});

it("refuses times and bounds that cannot be", () => {
  const { run } = setUp();
  expect(() => run("k", { ttlMs: Number.NaN })).toThrow(RangeError);
  for (const wrong of [{ maxEntries: 0 }, { maxBytes: -1 }, { maxBodyBytes: 0.5 }]) {
    expect(() => createCoalescer(wrong)).toThrow(RangeError);
  }
});
