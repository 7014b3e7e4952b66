import { execFileSync } from "node:child_process";
import { createLimiter, memoryStore, perDay, perMinute, reserveTogether } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

const MINUTE = 60_000;

describe.each(["3/min", "3/min burst 3", "3/day UTC"])("a flood of made-up keys at %s", (quota) => {
  function flooded(keys = 100_000) {
    const clock = manualClock();
    const store = memoryStore({ clock, maxKeys: 1_000 });
    const limiter = createLimiter({ quota, store });
    for (let i = 0; i < 3; i++) limiter.consume("debtor");
    let allowed = 0;
    for (let i = 0; i < keys; i++) if (limiter.consume(`made-up-${i}`).allowed) allowed++;
    return { clock, store, limiter, allowed };
  }

  it("does not grow the store, and makes nobody forget what he owes", () => {
    const { store, limiter, allowed } = flooded();
    expect(store.stats()).toEqual({ keys: 1_000, maxKeys: 1_000, overflowed: 100_000 - 999 });
    expect(limiter.consume("debtor").allowed).toBe(false);
    expect(limiter.consume("made-up-0")).toMatchObject({ allowed: true, remaining: 1 });
    // 999 keys of their own, and one for all the others.
    expect(allowed).toBe(999 + 3);
    expect(limiter.consume("newcomer").allowed).toBe(false);
  });

  it("leaves room for newcomers when it is over", () => {
    const { clock, store, limiter } = flooded(5_000);
    clock.advanceSync(25 * 60 * MINUTE);
    for (let i = 0; i < 900; i++) {
      expect(limiter.consume(`newcomer-${i}`)).toMatchObject({ allowed: true, remaining: 2 });
    }
    expect(store.stats().keys).toBeLessThanOrEqual(1_000);
    expect(limiter.consume("debtor")).toMatchObject({ allowed: true, remaining: 2 });
  });
});

describe("a full store", () => {
  it("is full for all its limiters, and takes from the keys of each that are as good as new", () => {
    const clock = manualClock();
    const store = memoryStore({ clock, maxKeys: 10 });
    const short = createLimiter({ name: "short", quota: "1/s", store });
    const long = createLimiter({ name: "long", quota: "1/min", store });
    for (let i = 0; i < 10; i++) short.consume(`key-${i}`);
    expect(long.consume("a").allowed).toBe(true);
    expect(long.consume("b").allowed).toBe(false);
    clock.advanceSync(1_000);
    expect(long.consume("c")).toMatchObject({ allowed: true });
    expect(long.consume("d")).toMatchObject({ allowed: true });
    expect(store.stats().keys).toBeLessThanOrEqual(10);
  });

  it("takes from all keys or from none, even when newcomers share one overflow key", () => {
    const store = memoryStore({ clock: manualClock(), maxKeys: 1 });
    const limiter = createLimiter({ quota: "3/min", store });
    limiter.consume("known");
    expect(limiter.consume(["known", "x", "y"], 2).allowed).toBe(false);
    expect(limiter.peek("known", 0).remaining).toBe(2);
    expect(limiter.peek("anybody", 0).remaining).toBe(3);
    expect(limiter.consume(["known", "x", "y"]).allowed).toBe(true);
    expect(limiter.peek("anybody", 0).remaining).toBe(1);
  });

  it("keeps no state for what changes nothing", () => {
    const store = memoryStore({ maxKeys: 10 });
    const limiter = createLimiter({ quota: "1/min", store });
    for (let i = 0; i < 100; i++) {
      limiter.peek(`peeked-${i}`);
      limiter.consume(`free-${i}`, 0);
      limiter.consume(`too-much-${i}`, 2);
      limiter.refund(`refunded-${i}`);
      limiter.reset(`reset-${i}`);
    }
    expect(store.stats()).toMatchObject({ keys: 0, overflowed: 0 });
  });

  it("counts a key that was reset or handed back no more", () => {
    const store = memoryStore({ clock: manualClock(), maxKeys: 2 });
    const limiter = createLimiter({ quota: "1/min", store });
    limiter.consume("a");
    limiter.consume("b");
    limiter.reset("a");
    limiter.reset("a");
    expect(store.stats().keys).toBe(1);
    expect(limiter.consume("c").allowed).toBe(true);
    expect(store.stats().overflowed).toBe(0);
  });
});

describe("limiters over one store", () => {
  const store = memoryStore({ clock: manualClock() });
  const make = (name: string, quota: Parameters<typeof createLimiter>[0]["quota"] = "1/min") =>
    createLimiter({ name, quota, store });

  it("share when name and quota are the same, and otherwise never", () => {
    expect(make("a").consume("k").allowed).toBe(true);
    expect(make("a").consume("k").allowed).toBe(false);
    expect(make("b").consume("k").allowed).toBe(true);
    expect(make("a/per-minute").consume("k").allowed).toBe(true);
    expect(make("a", "2/min").consume("k").allowed).toBe(true);
    expect(make("a", perMinute(1, { name: "other" })).consume("k").allowed).toBe(true);
    expect(make("a", perMinute(1, { burst: 1 })).consume("k").allowed).toBe(true);
  });

  it("block under their own name", () => {
    make("one").block("k", MINUTE);
    expect(make("two").consume("k").allowed).toBe(true);
    expect(make("one", perDay(9)).consume("k")).toMatchObject({ allowed: false, quota: "block" });
  });

  it("settle what they reserved, and a block is not settled with it", () => {
    const limiter = make("settled", "10/min");
    limiter.block("somebody else", MINUTE);
    const reservation = reserveTogether([{ limiter, key: "k", cost: 2 }]);
    reservation.commit(7);
    expect(limiter.peek("k", 3)).toMatchObject({ allowed: true, remaining: 0 });
    expect(limiter.consume("k", 3).allowed).toBe(true);
  });
});

it("refuses a maxKeys that is none", () => {
  expect(() => memoryStore({ maxKeys: 0 })).toThrow("maxKeys must be a whole number of at least 1, but it is 0");
});

it("keeps no process alive", () => {
  const source = `
    import { createConcurrencyLimiter, createLimiter } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
    const limiter = createLimiter({ quota: ["5/min", "9/day UTC", "3/s burst 5"] });
    limiter.consume("a");
    limiter.block("b", 60_000);
    createConcurrencyLimiter({ limit: 1 }).acquire("a");
    console.log(limiter.consume("a").remaining, process.getActiveResourcesInfo().includes("Timeout"));
  `;
  const node = ["--experimental-strip-types", "--no-warnings", "--input-type=module", "--eval", source];
  expect(execFileSync(process.execPath, node, { encoding: "utf8", timeout: 25_000 })).toBe("3 false\n");
});

it("has less room for long keys: what clients send does not decide how much memory it takes", () => {
  const store = memoryStore({ clock: manualClock(), maxKeys: 10 });
  const limiter = createLimiter({ quota: "1/h", store });
  for (let i = 0; i < 10; i++) limiter.consume(`${i}`.padEnd(500, "x"));
  expect(store.stats()).toMatchObject({ keys: 4, overflowed: 6 });
  limiter.consume("short");
  expect(store.stats()).toMatchObject({ keys: 4, overflowed: 7 });
});
