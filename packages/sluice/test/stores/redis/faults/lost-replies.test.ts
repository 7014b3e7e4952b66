import { Redis } from "ioredis";
import { createLimiter, type Limiter, perHour } from "sluice";
import { RedisStoreError, redisStore } from "sluice/redis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../server.ts";
import { CLIENTS, type Opened, opens, overIoredis, until } from "./clients.ts";
import { type FaultyWay, startProxy } from "./proxy.ts";
import { leavesNoTimers } from "./timers.ts";
import { traffic } from "./traffic.ts";

const LIMIT = 100_000;

let server: RedisServer;
leavesNoTimers();
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

interface Scene {
  readonly proxy: FaultyWay;
  readonly opened: Opened;
  readonly limiter: Limiter<"async">;
  charged(): Promise<number>;
}

let scenes = 0;
async function scene(open: (port: number) => Opened, allowResend = false): Promise<Scene> {
  const proxy = await startProxy(server.port);
  const opened = open(proxy.port);
  onTestFinished(async () => {
    opened.close();
    await proxy.close();
  });
  await until(() => opened.isReady);
  const store = redisStore({ client: opened.client, prefix: `t${scenes++}:`, timeoutMs: 2_000, allowResend });
  const limiter = createLimiter({ quota: perHour(LIMIT), store });
  return { proxy, opened, limiter, charged: async () => LIMIT - (await limiter.peek("caller", 0)).remaining };
}

const calls = 12;

/** One call after the other: of every second one the reply is lost after Redis has written it, with the connection. */
async function loseReplies({ proxy, opened, limiter }: Scene): Promise<unknown[]> {
  const ends: unknown[] = [];
  for (let i = 0; i < calls; i++) {
    await until(() => opened.isReady);
    if (i % 2 === 1) proxy.mode = "lose";
    const call = limiter.consume("caller").then(
      () => "allowed",
      (error: unknown) => error,
    );
    const lost = proxy.lost;
    if (i % 2 === 1) await until(() => proxy.lost > lost);
    proxy.mode = "pass";
    ends.push(await call);
  }
  return ends;
}

describe.each([...CLIENTS, "iovalkey"])("replies that are lost after Redis has decided, over %s", (name) => {
  it("charge each call exactly once, and it fails: nothing is sent again", async () => {
    const it = await scene(opens[name]!);
    const ends = await loseReplies(it);

    expect(ends.filter((end) => end === "allowed")).toHaveLength(calls / 2);
    for (const end of ends.filter((_, i) => i % 2 === 1)) {
      expect(end).toBeInstanceOf(RedisStoreError);
      expect(end).toHaveProperty("message", expect.stringContaining("may have been charged, and counts as taken"));
    }
    await until(() => it.opened.isReady);
    expect(await it.charged()).toBe(calls);
    expect(it.proxy.arrived).toBe(1 + calls / 2);
  });
});

it("charge twice over a client with other options: what the tests above would find", async () => {
  const it = await scene((port) => overIoredis(new Redis({ host: "127.0.0.1", port })), true);
  const ends = await loseReplies(it);

  expect(ends).toEqual(ends.map(() => "allowed"));
  expect(await it.charged()).toBe(calls + calls / 2);
});

it("are what such a client is refused for", () => {
  const client = new Redis({ lazyConnect: true });
  expect(() => redisStore({ client })).toThrow("autoResendUnfulfilledCommands: false");
  client.disconnect();
});

describe.each(CLIENTS)("replies that do not come for a while, over %s", (name) => {
  it("fail in time, charge once, and do not make the client connect again and again", async () => {
    const { proxy, opened, charged } = await scene(opens[name]!);
    const store = redisStore({ client: opened.client, prefix: `t${scenes - 1}:` });
    const limiter = createLimiter({ quota: perHour(LIMIT), store });
    const callers = traffic({ consume: () => limiter.consume("caller") });
    await callers.next("allowed");

    proxy.mode = "swallow";
    await callers.next("STORE_TIMEOUT");
    await callers.next("STORE_UNAVAILABLE");
    proxy.mode = "pass";
    await callers.next("allowed");
    const seen = await callers.stop();

    expect(seen.otherThan("STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    expect(proxy.arrived).toBeLessThan(10);
    const certain = seen.count("allowed");
    // A probe may have met the broken connection, and was then never sent.
    expect(await charged()).toBeGreaterThanOrEqual(certain + seen.count("STORE_TIMEOUT"));
    expect(await charged()).toBeLessThanOrEqual(certain + seen.count("STORE_TIMEOUT") + seen.count("STORE_REDIS"));
  });
});
