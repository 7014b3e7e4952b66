import { Redis } from "ioredis";
import { createLimiter, type Limiter, perHour } from "sluice";
import { redisStore } from "sluice/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { startRedis } from "../server.ts";
import { CLIENTS, opens, until } from "./clients.ts";
import { leavesNoTimers } from "./timers.ts";
import { traffic } from "./traffic.ts";

leavesNoTimers();

async function scene(name: string, limit: number, args: readonly string[]) {
  const server = await startRedis({ args });
  const opened = opens[name]!(server.port);
  const control = new Redis(server.url);
  onTestFinished(async () => {
    opened.close();
    control.disconnect();
    await server.stop();
  });
  await until(() => opened.isReady);
  const store = redisStore({ client: opened.client, timeoutMs: 2_000 });
  return { control, opened, limiter: createLimiter({ quota: perHour(limit), store }) };
}

/** How many calls pass before one is refused. */
async function passing(limiter: Limiter<"async">): Promise<number> {
  for (let passed = 0; ; passed++) if (!(await limiter.consume("caller")).allowed) return passed;
}

describe.each(CLIENTS)("Redis without memory, over %s", (name) => {
  it("that evicts keys: one limit more for each time that it does", async () => {
    const LIMIT = 50;
    const { control, limiter } = await scene(name, LIMIT, ["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"]);
    for (let losses = 0; losses < 2; losses++) {
      expect(await passing(limiter)).toBe(LIMIT);
      const filler = "x".repeat(10_000);
      let i = 0;
      await until(async () => {
        await Promise.all(Array.from({ length: 50 }, () => control.set(`filler-${losses}-${i++}`, filler)));
        return (await control.keys("sluice:*")).length === 0;
      });
    }
    expect(Number(/evicted_keys:(\d+)/.exec(await control.info("stats"))![1])).toBeGreaterThan(1);
  });

  it("that evicts nothing: calls fail and charge nothing, and it is back when there is memory", async () => {
    const LIMIT = 100_000;
    const { control, opened, limiter } = await scene(name, LIMIT, ["--maxmemory-policy", "noeviction"]);
    const calls = traffic({ consume: () => limiter.consume("caller") });
    await calls.next("allowed");
    await control.config("SET", "maxmemory", "1");
    const failed = await calls.next("STORE_REDIS");
    await calls.next("STORE_UNAVAILABLE");
    await control.config("SET", "maxmemory", "0");
    await calls.next("allowed");
    const seen = await calls.stop();

    expect(failed.error).toHaveProperty("message", expect.stringContaining("OOM"));
    expect(seen.otherThan("STORE_REDIS", "STORE_UNAVAILABLE", "allowed")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(2_020);
    expect(LIMIT - (await limiter.peek("caller", 0)).remaining).toBe(seen.count("allowed"));
    expect(opened.reconnects).toBe(0);
  });
});
