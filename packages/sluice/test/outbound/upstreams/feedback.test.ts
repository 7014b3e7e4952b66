import { describe, expect, it } from "vitest";
import { errorOf, world } from "./world.ts";

type Headers = Record<string, string>;
const answer = (status: number, headers: Headers = {}) => new Response(null, { status, headers });
const once = { retry: false } as const;

describe("feedback", () => {
  it("Retry-After in seconds pauses all, queued calls included", async () => {
    const { clock, api, call, times } = world({ ...once, limit: "2/s" });
    await api.run(() => answer(429, { "retry-after": "5" }));
    for (let i = 0; i < 3; i++) void call(`${i}`);
    expect(api.stats()).toMatchObject({ pausedForMs: 5_000, startsInMs: 6_000, waiting: 3 });
    await clock.advance(10_000);
    expect(times()).toEqual([5_000, 5_000, 6_000]);
  });

  it("calls that had been let in wait as well, and those that cannot wait so long hear of it now", async () => {
    const { clock, api, call, later, times, ended } = world({ ...once, limit: "1/s" });
    void api.run(() => later(500, answer(429, { "retry-after": "20" })));
    void call("patient", { maxWaitMs: 30_000 });
    void call("hasty", { maxWaitMs: 5_000 });
    await clock.advance(500);
    expect(ended).toEqual(["hasty deadline 500"]);
    expect(await errorOf(api.run(() => 0, { maxWaitMs: 5_000 }))).toMatchObject({
      reason: "deadline",
      retryAfterMs: 16_000,
    });
    await clock.advance(25_000);
    expect(times()).toEqual([20_500]);
  });

  it("Retry-After as a date is corrected by the Date of the response", async () => {
    const { api } = world(once);
    const date = (second: number) => new Date(Date.UTC(2031, 1, 1, 0, 0, second)).toUTCString();
    await api.run(() => answer(503, { date: date(0), "retry-after": date(7) }));
    expect(api.stats().pausedForMs).toBe(7_000);
  });

  it("overlapping pauses end at the latest", async () => {
    const { clock, api } = world({ ...once });
    const refused = (seconds: number) => api.run(() => answer(429, { "retry-after": `${seconds}` }));
    const late = api.run(
      () => new Promise((resolve) => clock.after(1_000, () => resolve(answer(429, { "retry-after": "2" })))),
    );
    await refused(10);
    await clock.advance(1_000);
    await late;
    expect(api.stats().pausedForMs).toBe(9_000);
  });

  it("an error with a response is heard like a response, and so is one that is reported", async () => {
    const { api, clock } = world(once);
    const response = { status: 429, headers: { "retry-after": "3" } };
    await errorOf(api.run(() => Promise.reject(Object.assign(new Error("too fast"), { response }))));
    expect(api.stats().pausedForMs).toBe(3_000);
    await clock.advance(3_000);
    await api.run(({ report }) => report(response));
    expect(api.stats().pausedForMs).toBe(3_000);
  });

  it("a RateLimit with nothing left pauses before anybody is refused", async () => {
    const { api } = world({ ...once, limit: "10/min" });
    await api.run(() =>
      answer(200, { "ratelimit-policy": '"per-minute";q=10;w=60', ratelimit: '"per-minute";r=0;t=12' }),
    );
    expect(api.stats().pausedForMs).toBe(12_000);
  });

  it("a 404 with Retry-After and a 200 with limits left pause nobody", async () => {
    const { api } = world({ ...once, limit: "10/min" });
    await api.run(() => answer(404, { "retry-after": "60" }));
    await api.run(() =>
      answer(200, { "x-ratelimit-limit": "10", "x-ratelimit-remaining": "8", "x-ratelimit-reset": "60" }),
    );
    expect(api.stats()).toMatchObject({ pausedForMs: 0, rate: 1 });
  });

  it("429 without a time cuts the rate, once for all calls that had started before, and it comes back step by step", async () => {
    const { clock, api, later, call, times } = world({ ...once, limit: "10/s", maxWaitMs: Infinity });
    for (let i = 0; i < 9; i++) void api.run(() => later(100 + i, answer(429)));
    await clock.advance(200);
    expect(api.stats().rate).toBe(0.7);
    for (let i = 0; i < 40; i++) void call(`${i}`);
    await clock.advance(800);
    const slow = times()
      .slice(1)
      .map((at, i) => at - times()[i]!);
    for (const gap of slow) expect(gap).toBeGreaterThanOrEqual(142);
    await clock.advance(200);
    expect(api.stats().rate).toBeCloseTo(0.8);
    await clock.advance(2_000);
    expect(api.stats().rate).toBe(1);
    await clock.advance(3_000);
    const fast = times()
      .slice(-12)
      .map((at, i, all) => at - (all[i - 1] ?? at));
    expect(Math.max(...fast)).toBeLessThanOrEqual(1_000);
    expect(times()).toHaveLength(40);
  });

  it("429 to a call that started after the cut cuts again, and there is a least rate", async () => {
    const { clock, api } = world({ ...once, limit: "1000/s" });
    const rates: number[] = [];
    for (let i = 0; i < 12; i++) {
      await clock.advance(50);
      const refused = api.run(() => answer(429));
      await clock.advance(50);
      await refused;
      rates.push(api.stats().rate);
    }
    expect(rates.slice(0, 3)).toEqual([0.7, 0.49, 0.343]);
    expect(rates.at(-1)).toBeLessThan(0.1);
    expect(Math.min(...rates)).toBeGreaterThanOrEqual(0.05);
    await clock.advance(60_000);
    expect(api.stats().rate).toBe(1);
  });

  it("use of the same key by other programs is noticed, and charged", async () => {
    const { clock, api, events, call, times } = world({ ...once, limit: "10/min", maxWaitMs: Infinity });
    const left = (remaining: number) => () =>
      answer(200, { "ratelimit-policy": '"per-minute";q=10;w=60', ratelimit: `"per-minute";r=${remaining};t=60` });
    await api.run(left(9));
    await clock.advance(60_000);
    await api.run(left(9));
    await api.run(left(2));
    expect(events.filter(({ type }) => type === "used-elsewhere")).toEqual([
      { upstream: "api", type: "used-elsewhere", limit: "per-minute", units: 6 },
    ]);
    for (let i = 0; i < 3; i++) void call(`${i}`);
    expect(times()).toHaveLength(2);
  });

  it("our own use is not taken for that of others, whoever of us made the calls", async () => {
    const { clock, api, make, events, store } = world({ ...once, limit: "10/min" });
    const other = make().api;
    let used = 0;
    const counted = () => {
      used++;
      return answer(200, {
        "ratelimit-policy": '"per-minute";q=10;w=60',
        ratelimit: `"per-minute";r=${10 - used};t=60`,
      });
    };
    await api.run(counted);
    await clock.advance(60_000);
    used = 0;
    for (const one of [api, other, other, api, other]) await one.run(counted);
    expect(events.map(({ type }) => type)).not.toContain("used-elsewhere");
    expect(store.stats().keys).toBe(1);
    expect(api.stats().startsInMs).toBe(0);
  });
});
