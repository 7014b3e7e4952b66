import { Redis } from "ioredis";
import { createLimiter, perHour } from "sluice";
import { RedisStoreError, redisStore } from "sluice/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, type RedisServerOptions, startRedis } from "../server.ts";
import { CLIENTS, type Opened, opens, until } from "./clients.ts";
import { startProxy } from "./proxy.ts";
import { leavesNoTimers } from "./timers.ts";
import { type Call, type Traffic, traffic } from "./traffic.ts";

const LIMIT = 150;
const OUTAGE_MS = 1_000;

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

/** Callers over a client of each kind, each with a limit of their own. */
function callers(port: number): (Opened & { readonly calls: Traffic })[] {
  return CLIENTS.map((name) => {
    const opened = opens[name]!(port);
    onTestFinished(() => opened.close());
    const limiter = createLimiter({ quota: perHour(LIMIT), store: redisStore({ client: opened.client }) });
    return Object.assign(opened, { calls: traffic({ consume: () => limiter.consume(name) }) });
  });
}

type Callers = ReturnType<typeof callers>;

/** Waits for a call of each of them that ends so. */
const next = (all: Callers, outcome: string): Promise<Call[]> =>
  Promise.all(all.map(({ calls }) => calls.next(outcome)));

/** Without anybody's help: calls are decided again, until the limit is used up. */
async function comeBack(all: Callers): Promise<void> {
  await next(all, "refused");
  for (const { calls } of all) {
    const seen = await calls.stop();
    expect(seen.otherThan("STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed", "refused")).toEqual([]);
    expect(seen.count("allowed")).toBeGreaterThan(0);
    expect(seen.count("allowed")).toBeLessThanOrEqual(LIMIT);
    expect(seen.slowestMs).toBeLessThan(70);
  }
}

const outage = () => new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));

describe("Redis that does not serve from the start, over ioredis and node-redis", () => {
  it("because it refuses connections: calls fail at once, without a storm, until it is there", async () => {
    const { redis } = await server();
    await redis.kill();
    const all = callers(redis.port);
    for (const { error } of await next(all, "STORE_REDIS")) expect(error).toBeInstanceOf(RedisStoreError);
    await next(all, "STORE_UNAVAILABLE");
    await outage();
    for (const { reconnects } of all) {
      expect(reconnects).toBeGreaterThan(0);
      expect(reconnects).toBeLessThan(30);
    }
    await redis.restart();
    await comeBack(all);
  });

  it("because it ends connections: nobody connects more often than the client itself decides", async () => {
    const { redis } = await server();
    const proxy = await startProxy(redis.port);
    onTestFinished(() => proxy.close());
    proxy.mode = "shut";
    const all = callers(proxy.port);
    await next(all, "STORE_UNAVAILABLE");
    await outage();
    for (const { calls } of all) expect(calls.calls.length).toBeGreaterThan(100);
    expect(proxy.arrived).toBeGreaterThan(1);
    expect(proxy.arrived).toBeLessThan(60);
    proxy.mode = "pass";
    await comeBack(all);
  });

  it("because it is a replica: the error says so, and it serves when it is promoted", async () => {
    const { redis: primary } = await server({ args: ["--repl-diskless-sync-delay", "0"] });
    const { redis, control } = await server({ args: ["--replicaof", "127.0.0.1", `${primary.port}`] });
    await until(async () => (await control.info("replication")).includes("master_link_status:up"));
    const all = callers(redis.port);
    const isSaid = ({ outcome, error }: Call) => outcome === "STORE_REDIS" && String(error).includes("READONLY");
    await until(() => all.every(({ calls }) => calls.calls.some(isSaid)));
    await next(all, "STORE_UNAVAILABLE");
    await control.call("REPLICAOF", "NO", "ONE");
    await comeBack(all);
  });

  it("because it loads its data: calls fail, and what was saved is not forgotten", async () => {
    const slowly = ["--key-load-delay", "400", "--loading-process-events-interval-bytes", "1024"];
    const { redis, control } = await server({ args: slowly });
    const before = callers(redis.port);
    await next(before, "refused");
    for (const { calls } of before) await calls.stop();
    await control.eval("for i = 1, 4000 do redis.call('SET', 'filler' .. i, i) end", 0);
    await control.call("SAVE");
    await redis.restart();
    const all = callers(redis.port);
    for (const { error } of await next(all, "STORE_REDIS")) {
      expect(String(error)).toMatch(/LOADING|isn't writeable|is offline/);
    }
    await until(() => [...before, ...all].every(({ isReady }) => isReady));
    await next(all, "refused");
    for (const { calls } of all) expect((await calls.stop()).count("allowed")).toBe(0);
  });
});
