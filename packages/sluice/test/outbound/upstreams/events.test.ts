import { memoryStore } from "sluice";
import { createUpstreams } from "sluice/outbound";
import { describe, expect, it, vi } from "vitest";
import { errorOf, world } from "./world.ts";

const lost = () => Promise.reject(Object.assign(new Error("lost"), { code: "ECONNRESET" }));

describe("events", () => {
  it("tell the life of a call in order", async () => {
    const { clock, api, events, later } = world({ limit: "1/s", retry: { baseMs: 0 } });
    void api.run(() => later(300, 0));
    const made = api.run(({ attempt }) => (attempt === 1 ? lost() : "made"), { idempotent: true });
    await clock.advance(5_000);
    expect(await made).toBe("made");
    const upstream = "api";
    expect(events).toEqual([
      { upstream, type: "started", attempt: 1, waitedMs: 0 },
      { upstream, type: "queued", position: 0, startsInMs: 1_000 },
      { upstream, type: "ended", attempt: 1, outcome: "ok", tookMs: 300 },
      { upstream, type: "started", attempt: 1, waitedMs: 1_000 },
      { upstream, type: "ended", attempt: 1, outcome: "transient", tookMs: 0 },
      { upstream, type: "retry", attempt: 1, delayMs: 0 },
      { upstream, type: "started", attempt: 2, waitedMs: 2_000 },
      { upstream, type: "ended", attempt: 2, outcome: "ok", tookMs: 0 },
    ]);
  });

  it("tell of refusals with their reason and time, and why an attempt is not followed by another", async () => {
    const { api, call, events } = world({ limit: "1/s", maxQueue: 1 });
    await api.run(() => new Response(null, { status: 404 }));
    void call("waits");
    await errorOf(api.run(() => 0));
    await errorOf(api.run(() => 0, { cost: 2 }));
    await errorOf(api.run(() => 0, { signal: AbortSignal.abort() }));
    expect(events.slice(1)).toMatchObject([
      { type: "ended", outcome: "client", stop: "class" },
      { type: "queued", position: 0 },
      { type: "refused", reason: "queue-full", retryAfterMs: 1_000 },
      { type: "refused", reason: "quota", retryAfterMs: Infinity },
      { type: "refused", reason: "cancelled" },
    ]);
  });

  it("tell of pauses, and of 429 without a time", async () => {
    const { api, events } = world({ limit: "100/s", retry: false });
    await api.run(() => new Response(null, { status: 429, headers: { "retry-after": "3" } }));
    const other = world({ retry: false });
    await other.api.run(() => new Response(null, { status: 429 }));
    const throttled = [...events, ...other.events].filter(({ type }) => type === "throttled");
    expect(throttled).toEqual([
      { upstream: "api", type: "throttled", pausedForMs: 3_000 },
      { upstream: "api", type: "throttled" },
    ]);
  });

  it("each user of an upstream hears of his own calls, and of the breaker that they share", async () => {
    const { make, api, types, events } = world({ retry: false, breaker: { minimumCalls: 1 } });
    const other = make();
    await errorOf(api.run(() => Promise.reject(new Error("down"))));
    // Both listen with the same function: the breaker is told by each of them.
    expect(types().filter((type) => type === "breaker")).toHaveLength(2);
    expect(types().filter((type) => type === "started")).toHaveLength(1);
    await other.close();
    expect(events).toHaveLength(4);
  });

  it("a call that waits behind many is told its place without counting all of them", async () => {
    const { api, call, events } = world({ limit: "1/min", maxWaitMs: Infinity });
    for (let i = 0; i < 5; i++) void call(`${i}`, { priority: "low" });
    void call("normal");
    void call("low", { priority: "low" });
    void call("costs", { cost: 1, priority: "high" });
    const told = events.flatMap((event) => (event.type === "queued" ? [event.position] : []));
    expect(told).toEqual([0, 1, 2, 3, 0, 5, 0]);
    expect(api.stats().waiting).toBe(7);
  });

  it("a listener that throws is reported once, and harms nobody", async () => {
    const report = vi.spyOn(console, "error").mockImplementation(() => {});
    const { api } = createUpstreams(
      { api: "10/s" },
      {
        store: memoryStore(),
        onEvent: () => {
          throw new Error("broken listener");
        },
      },
    );
    expect(await Promise.all([api.run(() => 1), api.run(() => 2)])).toEqual([1, 2]);
    expect(report).toHaveBeenCalledTimes(1);
    report.mockRestore();
  });
});

describe("statistics", () => {
  it("say what waits, runs, was started, made again and refused", async () => {
    const { clock, api, call } = world({ limit: "2/s", retry: { baseMs: 0 } });
    void call("a", {}, 700);
    void errorOf(api.run(lost, { idempotent: true, attempts: 2 }));
    await errorOf(api.run(() => 0, { maxWaitMs: 10 }));
    await clock.advance(0);
    expect(api.stats()).toEqual({
      waiting: 1,
      running: 1,
      started: 2,
      retried: 0,
      refused: 1,
      pausedForMs: 0,
      rate: 1,
      startsInMs: 1_000,
      breaker: { state: "closed", generation: 0, failureRate: 1, slowRate: 0, calls: 1 },
      coalesced: { running: 0, kept: 0, bytes: 0, started: 0, joined: 0, hits: 0 },
    });
    await clock.advance(2_000);
    expect(api.stats()).toMatchObject({ waiting: 0, running: 0, started: 3, retried: 1, refused: 1 });
  });
});
