import {
  createLimiter,
  memoryStore,
  perDay,
  perMinute,
  perSecond,
  RateLimitError,
  reserveTogether,
  tokenBucket,
} from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

function setup(quota: Parameters<typeof createLimiter>[0]["quota"]) {
  const clock = manualClock();
  const store = memoryStore({ clock });
  return { clock, store, limiter: createLimiter({ quota, store }) };
}

describe("consume", () => {
  it("allows the limit, then refuses with the exact time", async () => {
    const { clock, limiter } = setup("3/10s");
    expect(limiter.consume("a")).toEqual({
      allowed: true,
      quota: "per-10-seconds",
      limit: 3,
      remaining: 2,
      retryAfterMs: 0,
      resetAfterMs: 10_000,
      degraded: false,
    });
    clock.advanceSync(4_000);
    limiter.consume("a", 2);
    expect(limiter.consume("a")).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 6_000 });
    expect(limiter.consume("a", 2)).toMatchObject({ allowed: false, retryAfterMs: 10_000 });
    expect(limiter.consume("a", 4)).toMatchObject({ allowed: false, retryAfterMs: Infinity });
    expect(limiter.consume("b")).toMatchObject({ allowed: true, remaining: 2 });
    clock.advanceSync(5_999);
    expect(limiter.consume("a").allowed).toBe(false);
    clock.advanceSync(1);
    expect(limiter.consume("a").allowed).toBe(true);
  });

  it("takes from all quotas or from none, and names the one that refuses", () => {
    const { limiter } = setup([perSecond(5), perMinute(6)]);
    expect(limiter.consume("a", 5)).toMatchObject({ allowed: true, quota: "per-second", remaining: 0 });
    expect(limiter.consume("a", 2)).toMatchObject({ allowed: false, quota: "per-minute", remaining: 1 });
    expect(limiter.consume("a", 1)).toMatchObject({ allowed: false, quota: "per-second", retryAfterMs: 1000 });
    expect(limiter.peek("a", 0)).toMatchObject({ allowed: true });
  });

  it("charges several keys together, and a key that is named twice for both", () => {
    const { limiter } = setup("3/min");
    limiter.consume("a", 3);
    expect(limiter.consume(["a", "b"]).allowed).toBe(false);
    expect(limiter.consume("b", 3).allowed).toBe(true);
    expect(limiter.consume(["c", "c"], 2).allowed).toBe(false);
    expect(limiter.consume(["c", "c"]).allowed).toBe(true);
    expect(limiter.peek("c", 0).remaining).toBe(1);
  });

  it.each([Number.NaN, -1, 0.5, Infinity, "1", null, 2 ** 53])(
    "refuses the cost %s with an error that names it",
    (cost) => {
      const { limiter } = setup("3/min");
      expect(() => limiter.consume("a", cost as number)).toThrow(String(cost));
      expect(limiter.consume("a", 3).allowed).toBe(true);
    },
  );

  it.each(["", [], [""], undefined, null, 7])("refuses the key %j", (key) => {
    const { limiter } = setup("3/min");
    expect(() => limiter.consume(key as string)).toThrow(TypeError);
  });
});

describe("refund, reset, block", () => {
  it("gives back, makes new, and blocks for a time", () => {
    const { clock, limiter } = setup("2/min");
    limiter.consume("a", 2);
    limiter.refund("a");
    expect(limiter.consume("a").allowed).toBe(true);
    expect(limiter.consume("a").allowed).toBe(false);
    limiter.reset("a");
    expect(limiter.consume("a", 2).allowed).toBe(true);
    limiter.block("b", 90_000);
    expect(limiter.consume("b")).toMatchObject({ allowed: false, quota: "block", retryAfterMs: 90_000, limit: 0 });
    expect(limiter.consume("c")).toMatchObject({ allowed: true, quota: "per-minute" });
    clock.advanceSync(90_000);
    expect(limiter.consume("b")).toMatchObject({ allowed: true, quota: "per-minute", remaining: 1 });
  });
});

describe("reserve", () => {
  it("settles for less, for more, or for nothing, once", () => {
    const { limiter } = setup("10/min");
    const less = limiter.reserve("a", 5);
    less.commit(2);
    less.commit(0);
    less.release();
    expect(limiter.peek("a", 0).remaining).toBe(8);
    limiter.reserve("a", 1).commit(12);
    expect(limiter.peek("a")).toMatchObject({ allowed: false, remaining: 0 });
    const nothing = limiter.reserve("b", 10);
    expect(nothing.decision.remaining).toBe(0);
    nothing.release();
    expect(limiter.peek("b", 0).remaining).toBe(10);
    expect(limiter.reserve("b", 11).decision.allowed).toBe(false);
  });

  it("hands nothing back twice: what has flowed back by itself is gone", () => {
    const { clock, limiter } = setup(perSecond(1, { burst: 10 }));
    const held = limiter.reserve("a", 4);
    clock.advanceSync(4_000);
    limiter.consume("a", 6);
    held.release();
    expect(limiter.peek("a", 0).remaining).toBe(4);
  });
});

describe("reserveTogether", () => {
  it("decides under several limiters with a key each", () => {
    const store = memoryStore({ clock: manualClock() });
    const users = createLimiter({ name: "users", quota: "2/min", store });
    const all = createLimiter({ name: "all", quota: "3/min", store });
    const call = (user: string) =>
      reserveTogether([
        { limiter: users, key: user },
        { limiter: all, key: "all" },
      ]).decision;
    expect([call("a"), call("a"), call("a"), call("b"), call("b")].map(({ allowed }) => allowed)).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(users.peek("b", 0).remaining).toBe(1);
    expect(() =>
      reserveTogether([
        { limiter: users, key: "a" },
        { limiter: createLimiter({ quota: "1/s" }), key: "a" },
      ]),
    ).toThrow("one store");
  });
});

describe("wait", () => {
  it("lets callers through in order, each at the earliest time", async () => {
    const { clock, limiter } = setup("1/s");
    const order: number[] = [];
    for (let i = 0; i < 4; i++) void limiter.wait("a").then(() => order.push(i));
    await clock.advance(0);
    expect(order).toEqual([0]);
    await clock.advance(999);
    expect(order).toEqual([0]);
    await clock.advance(1);
    expect(order).toEqual([0, 1]);
    await clock.advance(2_000);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(clock.pending).toBe(0);
  });

  it("refuses at once what cannot be in time, with the exact time", async () => {
    const { limiter } = setup("2/10s");
    limiter.consume("a", 2);
    void limiter.wait("a", { cost: 2 });
    void limiter.wait("a", { cost: 1 });
    const error = await limiter.wait("a", { cost: 2, maxWaitMs: 29_999 }).catch((e) => e);
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ code: "RATE_LIMITED", decision: { allowed: false, retryAfterMs: 30_000 } });
    await expect(limiter.wait("a", { cost: 3 })).rejects.toMatchObject({ decision: { retryAfterMs: Infinity } });
  });

  it("leaves at once when aborted, and those behind move up", async () => {
    const { clock, limiter } = setup("1/s");
    limiter.consume("a");
    const controller = new AbortController();
    const first = limiter.wait("a", { signal: controller.signal });
    const second = limiter.wait("a");
    controller.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    await clock.advance(1_000);
    await expect(second).resolves.toMatchObject({ allowed: true });
    await expect(limiter.wait("a", { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    expect(clock.pending).toBe(0);
  });
});

it("allows exactly 10 of 100 concurrent calls at limit 10", async () => {
  const { limiter } = setup("10/min");
  const decisions = await Promise.all(Array.from({ length: 100 }, async () => limiter.consume("a")));
  expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(10);
});

it("keeps rates that are hard for floating point", () => {
  const { clock, limiter } = setup(perDay(1e9, { name: "huge" }));
  expect(limiter.consume("a", 1e9)).toMatchObject({ allowed: true, remaining: 0 });
  expect(limiter.consume("a")).toMatchObject({ allowed: false, retryAfterMs: 86_400_000 });
  clock.advanceSync(86_400_000);
  expect(limiter.consume("a", 1e9).allowed).toBe(true);
  expect(() => tokenBucket({ limit: 999_999_937, periodMs: 86_400_000 })).toThrow(
    "The nearest that fits: limit 1000000000.",
  );
});
