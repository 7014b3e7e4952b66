import { Redis } from "ioredis";
import { leased, memoryStore, type Store } from "sluice";
import { sluiceStore as expressStore } from "sluice/compat/express-rate-limit";
import { sluiceStore as fastifyStore } from "sluice/compat/fastify-rate-limit";
import { sluiceStore as honoStore } from "sluice/compat/hono-rate-limiter";
import { sluiceStorage } from "sluice/compat/nestjs-throttler";
import { redisStore } from "sluice/redis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../stores/redis/server.ts";
import { openStore } from "../stores/sqlite/files.ts";

let server: RedisServer;
let client: Redis;
beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

let prefixes = 0;
const overRedis = () => redisStore({ client, prefix: `t${prefixes++}:`, timeoutMs: 10_000 });
const closing = <S extends Store>(store: S): S => {
  onTestFinished(async () => void (await store.close?.()));
  return store;
};

/** Shares are of limits that are large enough for them: 1000 per hour is, and the other tests ask for 3. */
const STORES: Readonly<Record<string, () => Store>> = {
  memory: () => memoryStore(),
  SQLite: () => openStore(),
  Redis: () => overRedis(),
  "leases over SQLite": () => closing(leased(openStore())),
  "leases over Redis": () => closing(leased(overRedis())),
};

const HOUR = 3_600_000;

/** Asks as each middleware does, until it is refused: the counts that it is told. */
const MIDDLEWARES: Readonly<Record<string, (store: Store, limit: number) => () => Promise<number>>> = {
  "express-rate-limit": (store, limit) => {
    const mine = expressStore({ store });
    mine.init({ windowMs: HOUR, limit });
    return async () => (await mine.increment("me")).totalHits;
  },
  "hono-rate-limiter": (store, limit) => {
    const mine = honoStore({ store });
    mine.init({ windowMs: HOUR, limit });
    return async () => (await mine.increment("me")).totalHits;
  },
  "@fastify/rate-limit": (store, limit) => {
    const mine = new (fastifyStore({ store }))({ max: limit });
    return () =>
      new Promise((resolve, reject) =>
        mine.incr("me", (error, result) => (error ? reject(error) : resolve(result!.current)), HOUR, limit),
      );
  },
  "@nestjs/throttler": (store, limit) => {
    const mine = sluiceStorage({ store });
    return async () => (await mine.increment("me", HOUR, limit, HOUR, "default")).totalHits;
  },
};

describe.each(Object.entries(STORES))("over %s", (_store, open) => {
  it.each(Object.entries(MIDDLEWARES))(
    "%s counts to its limit, and refused ones as one more",
    async (_name, asking) => {
      const ask = asking(open(), 3);
      const counts: number[] = [];
      for (let i = 0; i < 5; i++) counts.push(await ask());
      expect(counts).toEqual([1, 2, 3, 4, 4]);
    },
  );

  it.each(Object.entries(MIDDLEWARES))("%s lets through exactly as much as its limit", async (_name, asking) => {
    const ask = asking(open(), 1000);
    const counts: number[] = [];
    for (let i = 0; i < 40; i++) counts.push(...(await Promise.all(Array.from({ length: 30 }, ask))));
    expect(counts.filter((count) => count <= 1000)).toHaveLength(1000);
  });

  it("requests are taken back by whom they were made", async () => {
    const mine = expressStore({ store: open() });
    mine.init({ windowMs: HOUR, limit: 2, skipFailedRequests: true });
    /** In a context of its own, as the middleware is called. */
    const request = async (isFailed: boolean): Promise<boolean> => {
      await Promise.resolve();
      const { totalHits } = await mine.increment("me");
      if (isFailed || totalHits > 2) await mine.decrement("me");
      return totalHits <= 2;
    };
    const passed: boolean[] = [];
    for (const isFailed of [true, true, false, false, false, false, true]) passed.push(await request(isFailed));
    expect(passed).toEqual([true, true, true, true, false, false, false]);
    await mine.resetKey("me");
    expect(await request(false)).toBe(true);
  });
});
