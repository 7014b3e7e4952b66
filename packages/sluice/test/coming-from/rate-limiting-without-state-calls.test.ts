import { memoryStore } from "sluice";
import { createUpstreams, keyOf, type OutboundEvent, type UpstreamOptions } from "sluice/outbound";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it } from "vitest";

// The published sketch "Rate Limiting Without State": its retries and its coalescing.

let clock: ManualClock;
let starts: number[];
let events: OutboundEvent[];
beforeEach(() => {
  clock = manualClock();
  starts = [];
  events = [];
});

const only = (options: UpstreamOptions) =>
  createUpstreams({ api: options }, { store: memoryStore({ clock }), onEvent: (event) => events.push(event) }).api;

/** A `fetch` that gives these answers one after the other, the last one from then on. */
function answers(...given: readonly (Response | Error)[]): typeof fetch {
  const since = clock.elapsed();
  return async () => {
    const answer = given[Math.min(starts.length, given.length - 1)]!;
    starts.push((clock.elapsed() - since) / 1000);
    if (answer instanceof Error) throw answer;
    return answer.clone();
  };
}
const answer = (status: number, headers: Record<string, string> = {}) => new Response("body", { status, headers });
const URL_ = "https://api.example/price";
const stopOf = () => events.findLast(({ type }) => type === "ended");

describe("StatelessCircuitBreaker.execute(fn, { maxRetries: 3 })", () => {
  it("tries three times, waits longer each time up to the cap, and ends with the last answer", async () => {
    const api = only({ fetch: answers(answer(500)), retry: { attempts: 3, baseMs: 2_000, capMs: 3_000 } });
    const result = api.fetch(URL_);
    await clock.advance(20_000);
    expect((await result).status).toBe(500);
    expect(starts).toHaveLength(3);
    const [first, second] = [starts[1]! - starts[0]!, starts[2]! - starts[1]!];
    expect(first).toBeLessThanOrEqual(2_000);
    expect(second).toBeLessThanOrEqual(3_000);
  });

  it("throws the last error as it was", async () => {
    const error = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    const api = only({ fetch: answers(error) });
    const result = api.fetch(URL_).catch((caught: unknown) => caught);
    await clock.advance(20_000);
    expect(await result).toBe(error);
    expect(starts).toHaveLength(3);
  });

  it("waits as long as Retry-After says, in seconds or until a date, and longer than any cap", async () => {
    const date = new Date(clock.wall() / 1000).toUTCString();
    const later = new Date(clock.wall() / 1000 + 30_000).toUTCString();
    for (const headers of [{ "retry-after": "30" }, { "retry-after": later, date }]) {
      starts = [];
      const api = only({ fetch: answers(answer(429, headers), answer(200)), retry: { capMs: 10_000 } });
      const result = api.fetch(URL_);
      await clock.advance(29_999);
      expect(starts).toHaveLength(1); // theirs: a date is NaN, and fires at once
      await clock.advance(5_000);
      expect((await result).status).toBe(200);
    }
  });

  it("holds everybody back while one is told to wait: theirs go on", async () => {
    const api = only({ fetch: answers(answer(429, { "retry-after": "5" }), answer(200)), retry: false });
    expect((await api.fetch(URL_)).status).toBe(429);
    const others = [1, 2, 3].map(() => api.fetch(URL_));
    await clock.advance(4_999);
    expect(starts).toHaveLength(1);
    await clock.advance(1);
    await Promise.all(others);
    expect(starts).toEqual([0, 5_000, 5_000, 5_000]);
  });

  it("does not wait in vain: who cannot wait so long hears it at once", async () => {
    const api = only({ fetch: answers(answer(429, { "retry-after": "3600" })) });
    expect((await api.fetch(URL_)).status).toBe(429);
    expect(stopOf()).toMatchObject({ stop: "deadline" });
    await expect(api.fetch(URL_)).rejects.toMatchObject({ reason: "deadline", retryAfterMs: 3_555_000 });
  });

  it("repeats nothing that may do harm or cannot help", async () => {
    for (const [status, init, stop] of [
      [500, { method: "POST" }, "unsafe"],
      [404, {}, "class"],
      [401, {}, "class"],
    ] as const) {
      starts = [];
      const api = only({ fetch: answers(answer(status)) });
      expect((await api.fetch(URL_, init)).status).toBe(status);
      expect(starts).toHaveLength(1); // theirs: 3
      expect(stopOf()).toMatchObject({ stop });
    }
  });

  it("takes units for each attempt", async () => {
    const api = only({ limit: "2/min", fetch: answers(answer(500)), retry: { attempts: 5 }, maxWaitMs: 10_000 });
    const result = api.fetch(URL_);
    await clock.advance(120_000);
    expect((await result).status).toBe(500);
    expect(starts).toHaveLength(2);
  });

  it("is a breaker: leaves an upstream alone that fails, tries it carefully, and comes back", async () => {
    let isDown = true;
    const fetch = async () => {
      starts.push(clock.elapsed());
      return answer(isDown ? 503 : 200);
    };
    const api = only({ fetch, retry: false, breaker: { minimumCalls: 5, openMs: 10_000, openJitter: 0, probes: 2 } });
    for (let i = 0; i < 5; i++) await api.fetch(URL_);
    await expect(api.fetch(URL_)).rejects.toMatchObject({ reason: "breaker-open", retryAfterMs: 10_000 });
    expect(starts).toHaveLength(5);
    isDown = false;
    await clock.advance(10_000);
    await api.fetch(URL_);
    expect(api.stats().breaker).toMatchObject({ state: "half-open" });
    await api.fetch(URL_);
    expect(api.stats().breaker).toMatchObject({ state: "closed" });
  });
});

describe("RequestCoalescer.coalesce(key, fn, ttl = 1000)", () => {
  const price = { at: new Date(0), usd: 1n, by: new Map([["binance", undefined]]) };
  let calls: number;
  const make = async () => {
    calls++;
    await new Promise<void>((resolve) => clock.after(100, resolve));
    return price;
  };
  beforeEach(() => {
    calls = 0;
  });

  it("makes one call for ten that come at once, and for those that come within the time", async () => {
    const api = only({ limit: "10/min", coalesceMs: 1_000 });
    const ten = Promise.all(Array.from({ length: 10 }, () => api.run(make, { key: "price" })));
    await clock.advance(100);
    const values = await ten;
    expect(calls).toBe(1); // theirs: 10
    // Dates, big integers and maps stay what they are, for the first caller and for the others.
    for (const value of values) expect(value).toBe(price);
    await clock.advance(999);
    await api.run(make, { key: "price" });
    expect(calls).toBe(1);
    await clock.advance(1);
    const later = api.run(make, { key: "price" });
    await clock.advance(100);
    await later;
    expect(calls).toBe(2);
    expect(api.stats()).toMatchObject({ started: 2, coalesced: { joined: 9, hits: 1 } });
  });

  it("does so for a table of APIs that is made anew in each tool call", async () => {
    const store = memoryStore({ clock });
    const anew = () => createUpstreams({ api: { limit: "10/min", coalesceMs: 1_000 } }, { store }).api;
    const both = Promise.all([1, 2].map(() => anew().run(make, { key: "price" })));
    await clock.advance(100);
    await both;
    await anew().run(make, { key: "price" });
    expect(calls).toBe(1);
  });

  it("takes any text for a key, and values as they are with keyOf: nothing is a path", async () => {
    const api = only({ coalesceMs: 60_000 });
    const keys = ["../../x", "https://api.example/?a=b/c", "A", "a", "x".repeat(300), keyOf({ id: "eth", at: 0n })];
    const all = Promise.all(keys.map((key) => api.run(make, { key })));
    await clock.advance(100);
    await all;
    expect(calls).toBe(keys.length);
  });

  it("shares nothing between tenants", async () => {
    const api = only({ coalesceMs: 60_000 });
    const all = Promise.all(["a", "b"].map((tenant) => api.run(make, { key: "portfolio", tenant })));
    await clock.advance(100);
    await all;
    expect(calls).toBe(2);
  });

  it("gives an error to all who wait, and keeps none", async () => {
    const api = only({ coalesceMs: 60_000, retry: false });
    const fail = async () => {
      calls++;
      throw new RangeError("no such token");
    };
    const both = await Promise.allSettled([1, 2].map(() => api.run(fail, { key: "price" })));
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(calls).toBe(1);
    await expect(api.run(fail, { key: "price" })).rejects.toThrow("no such token");
    expect(calls).toBe(2);
  });

  it("goes on for the others when one leaves, and ends when all have left", async () => {
    const api = only({});
    let upstream!: AbortSignal;
    const endless = ({ signal }: { signal: AbortSignal }) => {
      upstream = signal;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const [one, other] = [new AbortController(), new AbortController()];
    const both = [one, other].map(({ signal }) =>
      api.run(endless, { key: "price", signal }).catch(({ reason }) => reason),
    );
    await clock.advance(0);
    one.abort();
    await clock.advance(0);
    expect(upstream.aborted).toBe(false);
    other.abort();
    await clock.advance(0);
    expect(upstream.aborted).toBe(true);
    expect(await Promise.all(both)).toEqual(["cancelled", "cancelled"]);
  });
});
