import { Redis } from "ioredis";
import { createLimiter, type LeasedStats, leased, perMinute, perPeriod, type Quota } from "sluice";
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

async function scene(quota: Quota): Promise<Scene> {
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
    const limiter = createLimiter({ quota, store });
    const calls = traffic({ consume: async () => limiter.consume("caller"), perTurn: 4 });
    return { calls, stats: store.stats };
  });
  return { redis, control, processes, next: (end) => Promise.all(processes.map(({ calls }) => calls.next(end))) };
}

const FAILURES = ["STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE"];

it("leased over a stalled Redis: shares in hand serve, then calls fail in time; back by itself", async () => {
  const { redis, processes, next } = await scene(perMinute(1_000_000));
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
  // So short that who has used up the limit before the flush, on a busy machine, is served again while the test waits.
  const PERIOD_MS = 4_000;
  const { control, processes, next } = await scene(perPeriod(LIMIT, PERIOD_MS));
  await until(() => processes.every(({ stats }) => stats().used > LIMIT / 5));
  await control.flushall();
  const flushed = performance.now();
  await until(() => processes.every(({ stats }) => stats().stateLosses > 0));
  // Nobody is granted anything for as long as others may need to tell what they have used.
  await next("refused");
  await Promise.any(processes.map(({ calls }) => calls.next("allowed")));
  await until(() => performance.now() > flushed + 1.5 * PERIOD_MS);

  const allowedAt: number[] = [];
  for (const { calls } of processes) {
    const seen = await calls.stop();
    expect(seen.otherThan("allowed", "refused", ...FAILURES)).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    allowedAt.push(...seen.calls.filter(({ outcome }) => outcome === "allowed").map(({ at }) => at));
  }
  // What a flush could give away is the limit once more, and most of that was prevented, in every window.
  expect(mostIn(PERIOD_MS - CALL_MS, allowedAt)).toBeLessThanOrEqual(1.2 * LIMIT);
});

/** What lies between the moment of a call and that of its decision is no longer than a call may take. */
const CALL_MS = 70;

/** The most of these moments that lie in any window of so many milliseconds. */
function mostIn(windowMs: number, moments: readonly number[]): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let first = 0;
  return Math.max(
    ...sorted.map((at, i) => {
      while (sorted[first]! <= at - windowMs) first++;
      return i - first + 1;
    }),
  );
}
