import { memoryStore, type Store } from "sluice";
import { createUpstreams, OutboundError, type Upstream, type UpstreamOptions } from "sluice/outbound";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it } from "vitest";

// The published sketch "Rate Limiting Without State": what its limits were for, and what happens here instead.

let clock: ManualClock;
let store: Store;
let starts: number[];
beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
  starts = [];
});

const nowMs = () => clock.elapsed() / 1000;
const pause = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
const only = (options: UpstreamOptions | string): Upstream => createUpstreams({ api: options }, { store }).api;
/** A call that notes when it started, and takes so long. */
const call = (tookMs = 0) => {
  const since = nowMs();
  return async () => {
    starts.push(nowMs() - since);
    if (tookMs > 0) await pause(tookMs);
  };
};
const reasonOf = async (refused: Promise<unknown>): Promise<OutboundError> => {
  const error = await refused.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(OutboundError);
  return error as OutboundError;
};

describe("StatelessRateLimiter(requestsPerSecond).throttle(fn)", () => {
  it("starts one call each 1000 / rps milliseconds, however many come at once", async () => {
    const api = only({ limit: "10/s burst 1" });
    const all = Promise.all(Array.from({ length: 20 }, () => api.run(call())));
    await clock.advance(2_000);
    await all;
    // theirs: 19 of these 20 started in one tenth of a second
    expect(starts).toEqual(Array.from({ length: 20 }, (_, i) => i * 100));
  });

  it("keeps a spacing that is no whole number of milliseconds", async () => {
    const api = only({ limit: "300/s burst 1" });
    const all = Promise.all(Array.from({ length: 301 }, () => api.run(call())));
    await clock.advance(1_001); // theirs sleeps whole milliseconds: 4 for each
    await all;
    const gaps = starts.slice(1).map((at, i) => at - starts[i]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000 / 300);
  });

  it("does not wait for the end of a call to start the next", async () => {
    const api = only({ limit: "10/s burst 1" });
    const all = Promise.all([1, 2, 3].map(() => api.run(call(500))));
    await clock.advance(700); // theirs: 1503 ms
    await all;
    expect(starts).toEqual([0, 100, 200]);
  });

  it("runs one at a time where that is what is meant, and a call that hangs is given up", async () => {
    const api = only({ limit: "10/s burst 1", concurrency: 1, timeoutMs: 2_000, retry: false });
    const hung = api.run(() => new Promise(() => {})).catch((error: unknown) => error);
    const next = api.run(call());
    await clock.advance(2_000);
    await next;
    expect(starts).toEqual([2_000]);
    expect(await hung).toMatchObject({ name: "TimeoutError" });
  });

  it("lets callers leave the line, and the others move up", async () => {
    const api = only({ limit: "10/s burst 1" });
    const leaver = new AbortController();
    const first = api.run(call());
    const gone = reasonOf(api.run(call(), { signal: leaver.signal }));
    const third = api.run(call());
    leaver.abort(new Error("not needed"));
    await clock.advance(100);
    await Promise.all([first, third]);
    expect(starts).toEqual([0, 100]);
    expect(await gone).toMatchObject({ reason: "cancelled", cause: new Error("not needed") });
  });

  it("refuses rates that cannot be", () => {
    for (const limit of ["0/s", "-1/s", "NaN/s", "Infinity/s"]) expect(() => only({ limit })).toThrow(RangeError);
  });
});

describe("TimeWindowQueue.canMakeRequest(api, limit, windowMs)", () => {
  it("has no edge at which the limit can be used twice", async () => {
    const api = only("10/min");
    await clock.advance(59_000 - (nowMs() % 60_000)); // a second before the edge of an aligned window
    const all = Promise.all(Array.from({ length: 20 }, () => api.run(call(), { maxWaitMs: 60_000 })));
    await clock.advance(2_000);
    expect(starts).toHaveLength(10); // theirs: 20
    await clock.advance(58_000);
    await all;
    expect(starts.slice(10)).toEqual(new Array(10).fill(60_000));
  });

  it("says when the next request can be made, instead of letting it wait", async () => {
    const api = only("10/min");
    for (let i = 0; i < 10; i++) await api.run(call());
    await clock.advance(20_000);
    const refused = await reasonOf(api.run(call(), { maxWaitMs: 0 }));
    expect(refused).toMatchObject({ reason: "deadline", retryAfterMs: 40_000 });
    expect(starts).toHaveLength(10);
  });
});

describe("APIRateLimiter.execute(api, fn)", () => {
  const table = {
    coingecko: { limit: "10/min" },
    infura: { limit: "100000/day UTC" },
    alchemy: { limit: "300/s" },
  } as const;

  it("may be built anew for each tool call: limits are the store's", async () => {
    for (let i = 0; i < 10; i++) await createUpstreams(table, { store }).coingecko.run(call());
    const eleventh = createUpstreams(table, { store }).coingecko.run(call(), { maxWaitMs: 0 });
    expect(await reasonOf(eleventh)).toMatchObject({ upstream: "coingecko", retryAfterMs: 60_000 });
  });

  it("shares the state within the process even where no store is named", async () => {
    const api = () => createUpstreams({ "without-a-store": { limit: "2/h" } })["without-a-store"];
    await api().run(call());
    await api().run(call());
    expect(await reasonOf(api().run(call(), { maxWaitMs: 0 }))).toMatchObject({ reason: "deadline" });
  });

  it("throws for an API that is not in the table, where theirs calls it without a limit", () => {
    const upstreams = createUpstreams(table, { store });
    // @ts-expect-error: TypeScript knows the names, too
    expect(() => upstreams.coingeko).toThrow('no upstream "coingeko". There are: "coingecko", "infura", "alchemy".');
  });

  it("keeps several limits of one API together", async () => {
    const api = only({ limit: ["3/s", "5/min"] });
    const all = Promise.all(Array.from({ length: 6 }, () => api.run(call(), { maxWaitMs: 60_000 })));
    await clock.advance(60_000);
    await all;
    expect(starts).toEqual([0, 0, 0, 1_000, 1_000, 60_000]);
  });

  it("gives the API what the call returned, and passes its errors on", async () => {
    const { alchemy } = createUpstreams(table, { store });
    await expect(alchemy.run(() => 42)).resolves.toBe(42);
    const error = new RangeError("no such token");
    await expect(alchemy.run(() => Promise.reject(error))).rejects.toBe(error);
  });
});

describe("adaptiveDelay(used, limit)", () => {
  it("spaces starts by 0, 100, 500 and 2000 ms from 0, 0.5, 0.7 and 0.9 of the limit on", async () => {
    const api = only({ limit: "10/min", pace: "legacy" });
    const all = Promise.all(Array.from({ length: 10 }, () => api.run(call())));
    await clock.advance(10_000);
    await all;
    expect(starts).toEqual([0, 0, 0, 0, 0, 100, 200, 700, 1_200, 3_200]);
  });

  it("spaces them for callers that come together: theirs sleep side by side and go together", async () => {
    const api = only({ limit: "10/min", pace: [[0, 1_000]] });
    const all = Promise.all([1, 2, 3].map(() => api.run(call())));
    await clock.advance(2_000);
    await all;
    expect(starts).toEqual([0, 1_000, 2_000]);
  });

  it("does not delay when the window is empty again", async () => {
    const api = only({ limit: "10/min", pace: "legacy" });
    const all = Promise.all(Array.from({ length: 10 }, () => api.run(call())));
    await clock.advance(3_200 + 60_000);
    await all;
    starts = [];
    await Promise.all([1, 2, 3].map(() => api.run(call())));
    expect(starts).toEqual([0, 0, 0]);
  });
});

describe("prioritizedExecute(priority, fn)", () => {
  const named = (order: string[], name: string) => () => {
    order.push(name);
  };

  it("starts high before low when calls wait", async () => {
    const api = only("1/s");
    const order: string[] = [];
    const all = [api.run(named(order, "first"))];
    for (const priority of ["low", "normal", "high"] as const) {
      all.push(api.run(named(order, priority), { priority })); // theirs: low may be first all the same
      await clock.advance(100);
    }
    await clock.advance(4_000);
    await Promise.all(all);
    expect(order).toEqual(["first", "high", "normal", "low"]);
  });

  it("delays nobody when nobody waits", async () => {
    const api = only("10/s");
    await api.run(call(), { priority: "low" });
    expect(starts).toEqual([0]); // theirs: 500 to 2000 ms
  });

  it("starves nobody: whoever is less urgent is overtaken for 30 s at most", async () => {
    const api = only({ limit: "1/s", maxWaitMs: 300_000 });
    const order: string[] = [];
    let isOver = false;
    const flood = async () => {
      while (!isOver) {
        void api.run(named(order, "high"), { priority: "high" }).catch(() => {});
        void api.run(named(order, "high"), { priority: "high" }).catch(() => {});
        await pause(1_000);
      }
    };
    void flood();
    const low = api.run(named(order, "low"), { priority: "low" });
    await clock.advance(70_000);
    await low;
    isOver = true;
    // Twice as many come as can start: those of its first 30 s go first, and nobody else.
    expect(order.indexOf("low")).toBeGreaterThan(50);
    expect(order.indexOf("low")).toBeLessThanOrEqual(62);
    await api.close();
  });
});

describe("UTC everywhere", () => {
  it("begins the day of a daily limit at midnight UTC, whatever the time zone of the machine", async () => {
    clock.stepWall(23.5 * 3_600_000); // half past eleven in the evening, UTC
    const api = only("2/day UTC");
    await api.run(call());
    await api.run(call());
    expect(await reasonOf(api.run(call()))).toMatchObject({ reason: "deadline", retryAfterMs: 30 * 60_000 - 45_000 });
    await clock.advance(30 * 60_000);
    await api.run(call());
    expect(starts).toHaveLength(3);
  });

  it("neither locks nor opens a window when the clock on the wall is set", async () => {
    for (const step of [-3_600_000, 3_600_000]) {
      store = memoryStore({ clock });
      starts = [];
      const api = only({ limit: "2/10s", maxWaitMs: 60_000 });
      const all = Promise.all([1, 2, 3].map(() => api.run(call())));
      clock.stepWall(step);
      await clock.advance(9_999);
      expect(starts).toHaveLength(2);
      await clock.advance(1);
      await all;
    }
  });
});
