import { createLimiter, type FallbackPolicy, fallback, localShare, perHour } from "sluice";
import { redisStore } from "sluice/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../server.ts";
import { opens, until } from "./clients.ts";
import { type FaultyWay, startProxy } from "./proxy.ts";
import { leavesNoTimers } from "./timers.ts";
import { type Traffic, traffic } from "./traffic.ts";

leavesNoTimers();

interface Scene {
  readonly redis: RedisServer;
  readonly proxy: FaultyWay;
  readonly calls: Traffic;
  /** Of the fallback, about the calls alone. */
  readonly stats: ReturnType<ReturnType<typeof fallback>["stats"]>;
  /** Units that Redis has charged. */
  charged(): Promise<number>;
}

async function scene(name: string, policy: FallbackPolicy, limit: number): Promise<Scene> {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const opened = opens[name]!(proxy.port);
  onTestFinished(async () => {
    opened.close();
    await proxy.close();
    await redis.stop();
  });
  await until(() => opened.isReady);
  const direct = redisStore({ client: opened.client });
  const store = fallback(direct, policy);
  const limiter = createLimiter({ quota: perHour(limit), store });
  const calls = traffic({ consume: () => limiter.consume("caller") });
  const look = createLimiter({ quota: perHour(limit), store: direct });
  return {
    redis,
    proxy,
    calls,
    get stats() {
      return store.stats();
    },
    charged: async () => limit - (await look.peek("caller", 0)).remaining,
  };
}

const DEGRADED = { closed: "degraded refused", open: "degraded allowed" } as const;

describe.each([
  ["closed", "ioredis"],
  ["open", "node-redis"],
] as const)('a Redis store with the fallback "%s" over %s', (policy, name) => {
  it("answers every call through a stall, lost replies and a restart, and decides exactly again after each", async () => {
    const LIMIT = 100;
    const degraded = DEGRADED[policy];
    const it = await scene(name, policy, LIMIT);
    await it.calls.next("refused");

    it.redis.pause();
    await it.calls.next(degraded);
    it.redis.resume();
    await it.calls.next("refused");

    it.proxy.mode = "swallow";
    await it.calls.next(degraded);
    it.proxy.mode = "pass";
    await it.calls.next("refused");
    const beforeRestart = it.calls.calls.filter(({ outcome }) => outcome === "allowed").length;

    await it.redis.restart();
    await it.calls.next(degraded);
    await it.calls.next("allowed");
    await it.calls.next("refused");

    const seen = await it.calls.stop();
    expect(seen.outcomes).toEqual(["allowed", degraded, "refused"].sort());
    expect(seen.slowestMs).toBeLessThan(70);
    expect(beforeRestart).toBeLessThanOrEqual(LIMIT);
    expect(seen.count("allowed")).toBeLessThanOrEqual(2 * LIMIT);
    expect(it.stats).toMatchObject({
      decisions: seen.calls.length,
      degraded: seen.count(degraded),
      [policy]: seen.count(degraded),
      degradedForMs: 0,
    });
  });
});

describe("a Redis store with a local share as its fallback, over node-redis", () => {
  it("shares the limit through a stall, and tells Redis afterwards: each unit counts once", async () => {
    const LIMIT = 100_000;
    const it = await scene("node-redis", localShare(2), LIMIT);
    await it.calls.next("allowed");
    it.redis.pause();
    await it.calls.next("degraded allowed");
    await until(() => it.calls.calls.filter(({ outcome }) => outcome === "degraded allowed").length > 100);
    it.redis.resume();
    await it.calls.next("allowed");
    const seen = await it.calls.stop();

    expect(seen.outcomes).toEqual(["allowed", "degraded allowed"]);
    expect(seen.slowestMs).toBeLessThan(70);
    const { degraded, localShare: shared, degradedForMs, unreported } = it.stats;
    expect({ degraded, shared, degradedForMs, unreported }).toEqual({
      degraded: seen.count("degraded allowed"),
      shared: seen.count("degraded allowed"),
      degradedForMs: 0,
      unreported: 0,
    });
    await until(async () => (await it.charged()) >= seen.calls.length, 2_000).catch(() => {});
    expect(await it.charged()).toBe(seen.calls.length);
  });

  it("restarted: the limit once more, and the share of it", async () => {
    const LIMIT = 100;
    const it = await scene("ioredis", localShare(2), LIMIT);
    await it.calls.next("refused");
    await it.redis.restart();
    await it.calls.next("degraded allowed");
    await it.calls.next("refused");
    const seen = await it.calls.stop();

    expect(seen.otherThan("allowed", "refused", "degraded allowed", "degraded refused")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    expect(seen.count("degraded allowed")).toBeLessThanOrEqual(LIMIT / 2);
    expect(seen.count("allowed")).toBeLessThanOrEqual(2 * LIMIT);
  });
});
