import { memoryStore } from "sluice";
import { createUpstreams, OutboundError, type UpstreamOptions } from "sluice/outbound";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it } from "vitest";

// What docs/coming-from.md says to those who come from bottleneck, p-queue and p-throttle, where it is more than another
// name for an option.

let clock: ManualClock;
let starts: [name: string, atMs: number][];
beforeEach(() => {
  clock = manualClock();
  starts = [];
});

const only = (options: UpstreamOptions) => createUpstreams({ api: options }, { store: memoryStore({ clock }) }).api;

/** A call that notes when it starts, and takes so long. */
function call(name: string, tookMs = 0): () => Promise<string> {
  const since = clock.elapsed();
  return async () => {
    starts.push([name, (clock.elapsed() - since) / 1000]);
    if (tookMs > 0) await new Promise<void>((resolve) => clock.after(tookMs, resolve));
    return name;
  };
}

const times = () => starts.map(([, at]) => at);
const names = () => starts.map(([name]) => name);

/** The most starts in any window, wherever it begins. */
const most = (windowMs: number) =>
  Math.max(...times().map((from) => times().filter((at) => at >= from && at < from + windowMs).length));

describe("bottleneck", () => {
  it("minTime and reservoir are two limits: calls are apart, and there are no more in any minute", async () => {
    const api = only({ limit: ["10/s burst 1", "12/min"] });
    const all = Promise.all(Array.from({ length: 14 }, (_, i) => api.run(call(`${i}`), { maxWaitMs: 90_000 })));
    await clock.advance(90_000);
    await all;
    expect(times().slice(0, 12)).toEqual(Array.from({ length: 12 }, (_, i) => 100 * i));
    expect(times().slice(12)).toEqual([60_000, 60_100]);
    expect(most(60_000)).toBe(12);
  });

  it("a reservoir has no beat: what was not used before its edge is not added to what comes after it", async () => {
    const api = only({ limit: "10/min" });
    await clock.advance(59_000);
    const all = Promise.all(Array.from({ length: 20 }, (_, i) => api.run(call(`${i}`), { maxWaitMs: 90_000 })));
    await clock.advance(2_000);
    expect(starts).toHaveLength(10);
    await clock.advance(58_000);
    await all;
    expect(most(60_000)).toBe(10);
  });

  it("weight is a cost of the limits, and one place of concurrency", async () => {
    const api = only({ limit: "10/min", concurrency: 2 });
    const all = [api.run(call("a", 1_000), { cost: 5 }), api.run(call("b", 1_000), { cost: 5 })];
    const third = api.run(call("c"), { cost: 1, maxWaitMs: 90_000 });
    await clock.advance(59_999);
    expect(names()).toEqual(["a", "b"]);
    await clock.advance(1);
    await Promise.all([...all, third]);
    expect(names()).toEqual(["a", "b", "c"]);
  });

  it("a priority holds where calls are only kept apart", async () => {
    const api = only({ limit: "10/s burst 1" });
    const all = [
      api.run(call("first")),
      api.run(call("low"), { priority: "low" }),
      api.run(call("high"), { priority: "high" }),
    ];
    await clock.advance(1_000);
    await Promise.all(all);
    expect(names()).toEqual(["first", "high", "low"]);
  });

  it("highWater with OVERFLOW is maxQueue, and there is a deadline", async () => {
    const api = only({ limit: "1/min", maxQueue: 1, maxWaitMs: 90_000 });
    const all = [api.run(call("a")), api.run(call("b"))];
    const reasonOf = (one: Promise<unknown>) => one.catch((error: unknown) => (error as OutboundError).reason);
    expect(await reasonOf(api.run(call("c")))).toBe("queue-full");
    expect(await reasonOf(only({ limit: "1/min" }).run(call("d"), { cost: 2 }))).toBe("quota");
    await clock.advance(60_000);
    await Promise.all(all);
    const impatient = only({ limit: "1/min" });
    await impatient.run(call("e"));
    const refusal = await impatient.run(call("f")).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(OutboundError);
    expect(refusal).toMatchObject({ reason: "deadline", retryAfterMs: 15_000 });
  });

  it("a group is a limit per tenant", async () => {
    const api = only({ limit: { rate: "1/min", per: "tenant" } });
    const all = ["a", "b", "a"].map((tenant) => api.run(call(tenant), { tenant, maxWaitMs: 90_000 }));
    await clock.advance(0);
    expect(names()).toEqual(["a", "b"]);
    await clock.advance(60_000);
    await Promise.all(all);
    expect(names()).toEqual(["a", "b", "a"]);
  });
});

describe("p-queue", () => {
  it("intervalCap, strict and concurrency: never more in any second, nor at once", async () => {
    const api = only({ limit: "10/s", concurrency: 4 });
    const all = Promise.all(Array.from({ length: 24 }, (_, i) => api.run(call(`${i}`, 150))));
    await clock.advance(10_000);
    await all;
    expect(most(1_000)).toBe(10);
    expect(most(150)).toBe(4);
  });

  it("counts on a clock that does not go back: setting the time stops nothing", async () => {
    const api = only({ limit: "1/s" });
    await api.run(call("a"));
    clock.stepWall(-3_600_000);
    const next = api.run(call("b"));
    await clock.advance(1_000);
    await next;
    expect(times()).toEqual([0, 1_000]);
    expect(names()).toEqual(["a", "b"]);
  });

  it("timeout aborts the signal of the call, and frees its place", async () => {
    const api = only({ concurrency: 1, timeoutMs: 5_000, retry: false });
    let reason: unknown;
    const hanging = (signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          resolve();
        });
      });
    const slow = api.run(({ signal }) => hanging(signal)).catch((error: unknown) => error);
    const next = api.run(call("next"));
    await clock.advance(4_999);
    expect(names()).toEqual([]);
    await clock.advance(1);
    await Promise.all([slow, next]);
    expect(reason).toBeDefined();
    expect(names()).toEqual(["next"]);
  });

  it("a signal takes a call out of the line, and nothing from the limit", async () => {
    const api = only({ limit: "1/min" });
    const leaving = new AbortController();
    await api.run(call("a"));
    const gone = api.run(call("gone"), { signal: leaving.signal, maxWaitMs: 150_000 }).catch((error: unknown) => error);
    const next = api.run(call("next"), { maxWaitMs: 150_000 });
    await clock.advance(0);
    expect(api.stats().waiting).toBe(2);
    leaving.abort("no more");
    expect(await gone).toMatchObject({ reason: "cancelled", cause: "no more" });
    await clock.advance(60_000);
    await next;
    expect(names()).toEqual(["a", "next"]);
  });
});

describe("p-throttle", () => {
  it("functions of one upstream share its limit, and weight is a cost", async () => {
    const api = only({ limit: "10/s" });
    const price = (id: string) => api.run(call(id), { cost: id.length });
    const name = () => api.run(call("name"), { cost: 4 });
    const all = [price("abc"), name(), price("abcd")];
    await clock.advance(999);
    expect(names()).toEqual(["abc", "name"]);
    await clock.advance(1);
    await Promise.all(all);
    expect(times().at(-1)).toBe(1_000);
  });

  it("what has started counts when others leave", async () => {
    const api = only({ limit: "10/s" });
    const leaving = new AbortController();
    const all = Array.from({ length: 20 }, (_, i) =>
      api.run(call(`${i}`), { signal: leaving.signal }).catch(() => "left"),
    );
    await clock.advance(10);
    leaving.abort();
    await Promise.all(all);
    const more = Array.from({ length: 10 }, (_, i) => api.run(call(`more ${i}`)));
    await clock.advance(100);
    expect(starts).toHaveLength(10);
    await clock.advance(1_000);
    await Promise.all(more);
    expect(starts).toHaveLength(20);
  });

  it("a period may be longer than a timer, and a call may wait as long as it takes", async () => {
    const api = only({ limit: "1/30d", maxWaitMs: Infinity, maxQueue: Infinity });
    const all = [api.run(call("a")), api.run(call("b"))];
    await clock.advance(30 * 86_400_000 - 1);
    expect(names()).toEqual(["a"]);
    await clock.advance(1);
    await Promise.all(all);
    expect(names()).toEqual(["a", "b"]);
  });
});
