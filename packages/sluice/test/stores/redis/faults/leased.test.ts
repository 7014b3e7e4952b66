import { Redis } from "ioredis";
import { createLimiter, type LeasedStats, leased, perMinute } from "sluice";
import { redisStore } from "sluice/redis";
import { expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../server.ts";
import { CLIENTS, opens, until } from "./clients.ts";
import { leavesNoTimers } from "./timers.ts";
import { type Traffic, traffic } from "./traffic.ts";

leavesNoTimers();

interface Scene {
  readonly redis: RedisServer;
  readonly control: Redis;
  /** As of two processes: each has its own client, its own store and its own shares of one key. */
  readonly processes: readonly { readonly calls: Traffic; stats(): LeasedStats }[];
  /** Waits for a call of each of them that ends so. */
  next(outcome: string): Promise<unknown>;
}

async function scene(limit: number): Promise<Scene> {
  const redis = await startRedis();
  const control = new Redis(redis.url);
  const opened = CLIENTS.map((name) => opens[name]!(redis.port));
  onTestFinished(async () => {
    control.disconnect();
    for (const { close } of opened) close();
    await redis.stop();
  });
  await until(() => opened.every(({ isReady }) => isReady));
  const processes = opened.map(({ client }) => {
    const store = leased(redisStore({ client }));
    const limiter = createLimiter({ quota: perMinute(limit), store });
    const calls = traffic({ consume: async () => limiter.consume("caller"), perTurn: 4 });
    return { calls, stats: store.stats };
  });
  return { redis, control, processes, next: (end) => Promise.all(processes.map(({ calls }) => calls.next(end))) };
}

const FAILURES = ["STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE"];

it("leased over a stalled Redis: shares in hand serve, then calls fail in time; back by itself", async () => {
  const LIMIT = 1_000_000;
  const { redis, processes, next } = await scene(LIMIT);
  await next("allowed");
  await until(() => processes.every(({ stats }) => stats().hits > 200));

  redis.pause();
  const hits = processes.map(({ stats }) => stats().hits);
  await next("STORE_UNAVAILABLE");
  for (const [i, { stats }] of processes.entries()) expect(stats().hits).toBeGreaterThan(hits[i]! + 5);
  redis.resume();
  await next("allowed");

  for (const { calls, stats } of processes) {
    const seen = await calls.stop();
    expect(seen.otherThan("allowed", ...FAILURES)).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    const { granted, used, returned, expired, held } = stats();
    expect(granted).toBe(used + returned + expired + held);
    expect(used).toBeLessThanOrEqual(seen.count("allowed"));
  }
});

it("leased over a Redis that is flushed: noticed, and brought back by those who have used it", async () => {
  const LIMIT = 3_000;
  const { control, processes, next } = await scene(LIMIT);
  await until(() => processes.every(({ stats }) => stats().used > LIMIT / 5));
  await control.flushall();
  await until(() => processes.every(({ stats }) => stats().stateLosses > 0));
  // Nobody is granted anything for as long as others may need to tell what they have used.
  await next("refused");
  const asked = processes.map(({ calls }) => calls.calls.length);
  await Promise.any(processes.map(({ calls }) => calls.next("allowed")));
  await until(() => processes.every(({ calls }, i) => calls.calls.length > asked[i]! + 1_500));

  let allowed = 0;
  for (const { calls } of processes) {
    const seen = await calls.stop();
    expect(seen.otherThan("allowed", "refused", ...FAILURES)).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    allowed += seen.count("allowed");
  }
  // What a flush could give away is the limit once more, and most of that was prevented.
  expect(allowed).toBeLessThanOrEqual(1.2 * LIMIT);
});
