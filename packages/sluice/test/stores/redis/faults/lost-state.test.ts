import { Redis } from "ioredis";
import { createLimiter, perHour } from "sluice";
import { redisStore } from "sluice/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../server.ts";
import { CLIENTS, type Opened, opens, until } from "./clients.ts";
import { leavesNoTimers } from "./timers.ts";
import { type Traffic, traffic } from "./traffic.ts";

const LIMIT = 150;

leavesNoTimers();

interface Scene {
  readonly server: RedisServer;
  readonly opened: Opened;
  readonly control: Redis;
  readonly calls: Traffic;
}

/** Callers who go on asking for one limit, long after it is used up. */
async function scene(name: string, timeoutMs?: number): Promise<Scene> {
  const server = await startRedis();
  const opened = opens[name]!(server.port);
  const control = new Redis(server.url);
  control.on("error", () => {});
  onTestFinished(async () => {
    opened.close();
    control.disconnect();
    await server.stop();
  });
  await until(() => opened.isReady);
  const store = redisStore({ client: opened.client, ...(timeoutMs && { timeoutMs }) });
  const limiter = createLimiter({ quota: perHour(LIMIT), store });
  const calls = traffic({ consume: () => limiter.consume("caller") });
  return { server, opened, control, calls };
}

it.each([...CLIENTS, "iovalkey"])(
  "Redis restarted while calls are under way: one limit more, errors in the meantime, and back by itself (%s)",
  async (name) => {
    const { server, opened, calls } = await scene(name);
    await calls.next("refused");
    await server.restart();
    await calls.next("allowed");
    await calls.next("refused");
    const seen = await calls.stop();

    expect(seen.count("allowed")).toBeGreaterThan(LIMIT);
    expect(seen.count("allowed")).toBeLessThanOrEqual(2 * LIMIT);
    expect(seen.outcomes).toContain("STORE_REDIS");
    expect(seen.otherThan("STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed", "refused")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    expect(opened.reconnects).toBeLessThan(30);
  },
);

describe.each(CLIENTS)("Redis that forgets, over %s", (name) => {
  it("flushed: one limit more, and nobody notices anything else", async () => {
    const { control, calls } = await scene(name, 2_000);
    await calls.next("refused");
    await control.flushall();
    await calls.next("allowed");
    await calls.next("refused");
    const seen = await calls.stop();

    expect(seen.outcomes).toEqual(["allowed", "refused"]);
    expect(seen.count("allowed")).toBeGreaterThan(LIMIT);
    expect(seen.count("allowed")).toBeLessThanOrEqual(2 * LIMIT);
  });

  it("without its scripts: nobody notices", async () => {
    const { control, calls } = await scene(name, 2_000);
    for (let i = 0; i < 10; i++) {
      await control.script("FLUSH");
      await calls.next();
    }
    await calls.next("refused");
    const seen = await calls.stop();

    expect(seen.outcomes).toEqual(["allowed", "refused"]);
    expect(seen.count("allowed")).toBe(LIMIT);
    const stats = await control.info("commandstats");
    expect(Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1])).toBeGreaterThan(5);
  });
});
