import { Redis } from "ioredis";
import { createLimiter, perHour } from "sluice";
import { RedisStoreError, redisStore } from "sluice/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, type RedisServerOptions, startRedis } from "../server.ts";
import { CLIENTS, type Opened, opens, until } from "./clients.ts";
import { startProxy } from "./proxy.ts";
import { leavesNoTimers } from "./timers.ts";
import { type Traffic, traffic } from "./traffic.ts";

const LIMIT = 150;
const OUTAGE_MS = 1_500;

leavesNoTimers();

async function server(options?: RedisServerOptions): Promise<{ redis: RedisServer; control: Redis }> {
  const redis = await startRedis(options);
  const control = new Redis(redis.url);
  control.on("error", () => {});
  onTestFinished(async () => {
    control.disconnect();
    await redis.stop();
  });
  return { redis, control };
}

function callers(name: string, port: number): { opened: Opened; calls: Traffic } {
  const opened = opens[name]!(port);
  onTestFinished(() => opened.close());
  const limiter = createLimiter({ quota: perHour(LIMIT), store: redisStore({ client: opened.client }) });
  return { opened, calls: traffic({ consume: () => limiter.consume("caller") }) };
}

/** Without anybody's help: calls are decided again, until the limit is used up. */
async function comesBack(calls: Traffic): Promise<void> {
  await calls.next("refused");
  const seen = await calls.stop();
  expect(seen.otherThan("STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed", "refused")).toEqual([]);
  expect(seen.count("allowed")).toBeGreaterThan(0);
  expect(seen.count("allowed")).toBeLessThanOrEqual(LIMIT);
  expect(seen.slowestMs).toBeLessThan(70);
}

const outage = () => new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));

describe.each(CLIENTS)("Redis that does not serve from the start, over %s", (name) => {
  it("because it refuses connections: calls fail at once, without a storm, until it is there", async () => {
    const { redis } = await server();
    await redis.kill();
    const { opened, calls } = callers(name, redis.port);
    const failed = await calls.next("STORE_REDIS");
    await calls.next("STORE_UNAVAILABLE");
    await outage();
    expect(opened.reconnects).toBeGreaterThan(0);
    expect(opened.reconnects).toBeLessThan(30);
    expect(failed.error).toBeInstanceOf(RedisStoreError);
    await redis.restart();
    await comesBack(calls);
  });

  it("because it ends connections: nobody connects more often than the client itself decides", async () => {
    const { redis } = await server();
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    proxy.mode = "shut";
    const { calls } = callers(name, proxy.port);
    await calls.next("STORE_UNAVAILABLE");
    await outage();
    expect(calls.calls.length).toBeGreaterThan(200);
    expect(proxy.arrived).toBeGreaterThan(0);
    expect(proxy.arrived).toBeLessThan(30);
    proxy.mode = "pass";
    await comesBack(calls);
  });

  it("because it is a replica: the error says so, and it serves when it is promoted", async () => {
    const { redis: primary } = await server();
    const { redis, control } = await server({ args: ["--replicaof", "127.0.0.1", `${primary.port}`] });
    await until(async () => (await control.info("replication")).includes("master_link_status:up"));
    const { calls } = callers(name, redis.port);
    const isSaid = ({ error }: { error?: unknown }) => String(error).includes("READONLY");
    await until(() => calls.calls.some((call) => call.outcome === "STORE_REDIS" && isSaid(call)));
    await calls.next("STORE_UNAVAILABLE");
    await control.call("REPLICAOF", "NO", "ONE");
    await comesBack(calls);
  });

  it("because it loads its data: calls fail, and what was saved is not forgotten", async () => {
    const slowly = ["--key-load-delay", "400", "--loading-process-events-interval-bytes", "1024"];
    const { redis, control } = await server({ args: slowly });
    const first = callers(name, redis.port);
    await first.calls.next("refused");
    await first.calls.stop();
    await control.call("DEBUG", "POPULATE", "4000");
    await control.call("SAVE");
    await redis.restart();
    expect(await control.info("persistence").catch(() => "loading:1")).toContain("loading:1");
    const { calls } = callers(name, redis.port);
    const failed = await calls.next("STORE_REDIS");
    expect(String(failed.error)).toMatch(/LOADING|isn't writeable|is offline/);
    await calls.next("refused");
    expect((await calls.stop()).count("allowed")).toBe(0);
  });
});
