import { describe, expect, it, vi } from "vitest";
import { errorOf, numbered, world } from "./world.ts";

const failing = () => Promise.reject(new Error("down"));
const breaker = { minimumCalls: 4, openMs: 1_000, openJitter: 0, probes: 2 };
const plain = { retry: false, breaker } as const;

/** As many failures as it takes. */
async function fail({ api, clock }: Pick<ReturnType<typeof world>, "api" | "clock">) {
  for (let i = 0; i < 4; i++) await errorOf(api.run(failing));
  await clock.advance(0);
  expect(api.stats().breaker).toMatchObject({ state: "open", failureRate: 1 });
}

describe("the breaker of an upstream", () => {
  it("open: calls fail at once, are not charged, and hear when it is worth trying again", async () => {
    const all = world({ ...plain, limit: "5/s" });
    await fail(all);
    const { api, clock, call, times } = all;
    await clock.advance(400);
    const made = vi.fn();
    const error = await errorOf(api.run(made));
    expect(error).toMatchObject({ name: "OutboundError", reason: "breaker-open", retryAfterMs: 600 });
    expect(error.message).toBe('"api" has failed too often, and is left alone for a while. Try again in 0.6 s.');
    expect(made).not.toHaveBeenCalled();
    await clock.advance(600);
    void call("a");
    void call("b");
    expect(times()).toEqual([1_000, 1_000]);
  });

  it("open: calls that waited in the queue fail at once, too", async () => {
    const { clock, call, ended, api } = world({ ...plain, limit: "4/s" });
    for (let i = 0; i < 4; i++) void errorOf(api.run(failing));
    for (let i = 0; i < 300; i++) void call(`${i}`, { maxWaitMs: Infinity });
    await clock.advance(0);
    expect(ended).toHaveLength(300);
    for (const one of ended) expect(one).toMatch(/ breaker-open 0$/);
    expect(clock.pending).toBe(0);
  });

  it("half-open: few probes pass, the others fail; it closes by their success", async () => {
    const all = world(plain);
    await fail(all);
    const { api, clock, call, later, ended } = all;
    await clock.advance(1_000);
    const probes = numbered(2, () => api.run(() => later(100, "up")));
    void call("other");
    await clock.advance(0);
    expect(ended).toEqual(["other breaker-open 1000"]);
    expect(api.stats().breaker).toMatchObject({ state: "half-open" });
    await clock.advance(100);
    expect(await Promise.all(probes)).toEqual(["up", "up"]);
    expect(api.stats().breaker).toMatchObject({ state: "closed" });
    await call("next");
    expect(ended).toContain("next 1100");
  });

  it('whenOpen "wait": calls wait until it lets them pass, in their order, and no longer than that', async () => {
    const all = world({ retry: false, breaker: { ...breaker, whenOpen: "wait" }, maxWaitMs: 20_000 });
    await fail(all);
    const { api, clock, call, started, ended } = all;
    for (let i = 0; i < 5; i++) void call(`${i}`, {}, 300);
    void call("hasty", { maxWaitMs: 900 });
    await clock.advance(0);
    expect(ended).toEqual(["hasty breaker-open 0"]);
    await clock.advance(1_000);
    expect(started.map(({ name, at }) => `${name} ${at}`)).toEqual(["0 1000", "1 1000"]);
    await clock.advance(300);
    // The probes have ended well: nobody waits any longer.
    expect(started.slice(2).map(({ name, at }) => `${name} ${at}`)).toEqual(["2 1300", "3 1300", "4 1300"]);
    await clock.advance(1_000);
    expect(ended).toHaveLength(6);
    expect(api.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  it('whenOpen "wait": who leaves while he waits is cancelled, and a close refuses the rest', async () => {
    const all = world({ retry: false, breaker: { ...breaker, whenOpen: "wait" } });
    await fail(all);
    const { upstreams, clock, call, ended } = all;
    const leaver = new AbortController();
    void call("leaves", { signal: leaver.signal });
    void call("stays");
    leaver.abort();
    await clock.advance(0);
    await upstreams.close();
    await clock.advance(60_000);
    expect(ended.toSorted()).toEqual(["leaves cancelled 0", "stays closed 0"]);
    expect(clock.pending).toBe(0);
  });

  it("429, other 4xx, the caller's mistakes and the caller's leaving are no failures", async () => {
    const { api, clock, later } = world({ ...plain, breaker: { ...breaker, windowMs: 1_000_000 } });
    for (let i = 0; i < 20; i++) {
      const leaver = new AbortController();
      const ends = Promise.all([
        api.run(() => new Response(null, { status: i % 2 === 0 ? 429 : 404 })),
        errorOf(api.run(() => Promise.reject(new RangeError("mistake")))),
        errorOf(api.run(({ signal }) => later(20_000, 0, signal).catch(failing), { signal: leaver.signal })),
      ]);
      // After a 429 without a time, starts are far apart.
      await clock.advance(10_000);
      leaver.abort();
      await ends;
    }
    expect(api.stats()).toMatchObject({ breaker: { state: "closed", calls: 0 } });
  });

  it("a timeout is a failure, and so are 503 and an error of which nothing is known", async () => {
    const { api, clock } = world({ ...plain, timeoutMs: 100 });
    void errorOf(api.run(() => new Promise(() => {})));
    void errorOf(api.run(failing));
    await api.run(() => new Response(null, { status: 503 }));
    await clock.advance(100);
    await api.run(() => new Response(null, { status: 500 }));
    expect(api.stats().breaker).toMatchObject({ state: "open" });
  });

  it("the last outcome comes back when the breaker opens before the next attempt", async () => {
    const { api, clock } = world({ breaker, retry: { baseMs: 10, attempts: 3 } });
    const lost = Object.assign(new Error("mine"), { code: "ECONNRESET" });
    const mine = errorOf(api.run(() => Promise.reject(lost), { idempotent: true }));
    for (let i = 0; i < 3; i++) void errorOf(api.run(failing));
    await clock.advance(500);
    expect(await mine).toBe(lost);
    expect(api.stats()).toMatchObject({ retried: 0, waiting: 0 });
  });

  it("its state is readable, and each change is an event", async () => {
    const all = world(plain);
    await fail(all);
    const { api, clock, events } = all;
    await clock.advance(1_000);
    await Promise.all(numbered(2, () => api.run(() => "up")));
    expect(events.filter(({ type }) => type === "breaker")).toMatchObject([
      { from: "closed", to: "open", openForMs: 1_000, cause: "outcomes" },
      { from: "open", to: "half-open", cause: "time" },
      { from: "half-open", to: "closed", cause: "outcomes" },
    ]);
  });

  it("breaker: false: there is none", async () => {
    const { api } = world({ retry: false, breaker: false });
    for (let i = 0; i < 50; i++) await errorOf(api.run(failing));
    expect(api.stats()).toMatchObject({ started: 50 });
    expect(api.stats()).not.toHaveProperty("breaker");
  });
});
