import { Cluster, Redis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import { createClient, createSentinel } from "redis";
import { type Algorithm, createLimiter, fixedWindow, slidingWindow, tokenBucket } from "sluice";
import { RedisKeyError, RedisStoreError, redisStore } from "sluice/redis";
import { manualClock } from "sluice/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ledger } from "../../../src/limiter/store.ts";
import { type RedisServer, startRedis } from "./server.ts";

const SAFE = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };

let server: RedisServer;
let client: Redis;
let opened = 0;
const open = (options: object = {}) => redisStore({ client, prefix: `f${opened++}:`, timeoutMs: 10_000, ...options });
const demand = (algorithm: Algorithm, key = "k", cost = 1) => ({ ledger: ledger("test", algorithm), key, cost });
const perMinute = (limit: number) => slidingWindow({ limit, periodMs: 60_000 });

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, SAFE);
});

afterAll(async () => {
  client.disconnect();
  await server.stop();
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the time of Redis", () => {
  it("decides, without a clock of one's own", async () => {
    const limiter = createLimiter({ quota: "2/min", store: open() });
    const decisions = [];
    for (let i = 0; i < 3; i++) decisions.push(await limiter.consume("k"));
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, false]);
    expect(decisions[2]!.retryAfterMs).toBeGreaterThan(50_000);
    expect(decisions[2]!.retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it("says in which window of the calendar it is, whatever this machine believes", async () => {
    const store = open();
    const day = fixedWindow({ limit: 2, calendar: "day" });
    const [first] = await store.take([demand(day)]);
    const { now } = Date;
    vi.spyOn(Date, "now").mockImplementation(() => now() - 40 * 86_400_000);
    const [second] = await open({ prefix: "f0:" }).take([demand(day, "other")]);
    expect(second!.receipt).toBe(first!.receipt);
    expect(first!.receipt % 86_400_000_000).toBe(0);
  });
});

describe("the script", () => {
  it("is sent again when Redis has forgotten it, and charges once", async () => {
    const store = open();
    const calls = vi.spyOn(client, "eval");
    await store.take([demand(perMinute(9))]);
    await client.script("FLUSH");
    const [second] = await store.take([demand(perMinute(9))]);
    expect(second!.remaining).toBe(7);
    expect(calls).toHaveBeenCalled();
  });

  it("is called once for what is asked for in one turn, up to 32 takes", async () => {
    const store = open();
    await store.take([demand(perMinute(400))]);
    const calls = vi.spyOn(client, "evalsha");
    const answers = await Promise.all(Array.from({ length: 260 }, () => store.take([demand(perMinute(400))])));
    expect(calls).toHaveBeenCalledTimes(9);
    expect(answers.map(([one]) => one!.remaining)).toEqual(Array.from({ length: 260 }, (_, i) => 398 - i));
  });
});

describe("keys", () => {
  it("live as long as their state, and longer", async () => {
    const store = open({ prefix: "ttl:" });
    await store.take([demand(perMinute(3), "window")]);
    await store.take([demand(tokenBucket({ limit: 1, periodMs: 1_000, burst: 90 }), "bucket", 80)]);
    await store.take([demand(fixedWindow({ limit: 9, periodMs: 90_000 }), "fixed")]);
    // Windows and buckets, which are charged most often, are kept for half as long again: see `plain-script.ts`.
    const lives = [
      ["window", 60_000, 90_000],
      ["bucket", 90_000, 135_000],
      ["fixed", 90_000, 90_000],
    ] as const;
    for (const [key, least, most] of lives) {
      const [name] = await client.keys(`ttl:{${key}}*`);
      const ttl = await client.pttl(name!);
      expect(ttl).toBeGreaterThan(least - 5_000);
      expect(ttl).toBeLessThanOrEqual(most + 1_000);
    }
  });

  it("are gone when their state is as good as new", async () => {
    const store = open({ prefix: "gone:" });
    const [taken] = await store.take([demand(perMinute(3))]);
    await store.take([{ ...demand(perMinute(3)), cost: -1, receipt: taken!.receipt }]);
    expect(await client.keys("gone:*")).toEqual([]);
  });

  it("have short names", async () => {
    await open({ prefix: "sluice:" }).take([demand(perMinute(3), "client:123456")]);
    const [name] = await client.keys("sluice:*");
    expect(name).toMatch(/^sluice:\{client:123456\}[\w-]{8}$/);
    expect(name!.length).toBeLessThanOrEqual(31);
  });

  it("that hold something else are an error that names them, and nobody else's", async () => {
    const store = open({ prefix: "odd:" });
    const account = demand(perMinute(3));
    await store.take([account]);
    const [name] = await client.keys("odd:*");
    for (const spoil of [
      () => client.set(name!, "nonsense"),
      () => client.del(name!).then(() => client.lpush(name!, "a")),
    ]) {
      await spoil();
      const spoiled = store.take([account]);
      const other = store.take([demand(perMinute(3), "fine")]);
      await expect(spoiled).rejects.toThrow(name!);
      await expect(spoiled).rejects.toThrow(RedisKeyError);
      await expect(other).resolves.toMatchObject([{ allowed: true }]);
      await expect(store.take([account, demand(perMinute(3), "fine too")])).rejects.toThrow(RedisKeyError);
      expect(await client.exists(name!)).toBe(1);
    }
    await store.forget([account]);
    await expect(store.take([account])).resolves.toMatchObject([{ remaining: 2 }]);
  });

  it("stay small: a bucket in 100 bytes, a full window in 720, or 850 when a granule has hundreds of units", async () => {
    const clock = manualClock();
    const store = open({ prefix: "sluice:", clock });
    const sizeOf = async (algorithm: Algorithm, calls: number, periodMs: number, units: number) => {
      await client.flushall();
      for (let i = 0; i < calls; i++) {
        clock.stepWall(periodMs / calls);
        await store.take([demand(algorithm, "client:123456", units)]);
      }
      const [name] = await client.keys("*");
      return client.memory("USAGE", name!);
    };
    expect(await sizeOf(tokenBucket({ limit: 100, periodMs: 60_000 }), 30, 1_000, 1)).toBeLessThanOrEqual(100);
    expect(await sizeOf(fixedWindow({ limit: 100, periodMs: 60_000 }), 30, 1_000, 1)).toBeLessThanOrEqual(100);
    for (const periodMs of [1_000, 60_000, 3_600_000, 86_400_000]) {
      for (const [limit, most] of [
        [100, 720],
        [1_000, 720],
        [5_000, 720],
        [100_000, 850],
      ] as const) {
        const size = await sizeOf(slidingWindow({ limit, periodMs }), 300, periodMs * 0.999, Math.ceil(limit / 400));
        expect({ limit, periodMs, size, fits: size! <= most }).toEqual({ limit, periodMs, size, fits: true });
      }
    }
  });
});

describe("clients", () => {
  it.each([
    ["ioredis", () => new Redis({ lazyConnect: true }), "autoResendUnfulfilledCommands: false"],
    ["iovalkey", () => new Valkey({ lazyConnect: true }), "autoResendUnfulfilledCommands: false"],
    ["a Cluster", () => new Cluster([{ port: 1 }], { lazyConnect: true }), "retryDelayOnFailover: 0"],
    [
      "a Cluster whose connections come back",
      () =>
        new Cluster([{ port: 1 }], { lazyConnect: true, retryDelayOnFailover: 0, clusterNodeRetryStrategy: () => 9 }),
      "redisOptions: { autoResendUnfulfilledCommands: false }",
    ],
    [
      "node-redis with Sentinels",
      () => createSentinel({ name: "a", sentinelRootNodes: [{ host: "127.0.0.1", port: 1 }] }),
      "maxCommandRediscovers: 0",
    ],
  ])("that may send a debit again are refused with the line to write: %s", (_name, make, line) => {
    const unsafe = make() as never;
    expect(() => redisStore({ client: unsafe })).toThrow(line);
    expect(() => redisStore({ client: unsafe })).toThrow(TypeError);
    expect(() => redisStore({ client: unsafe, allowResend: true })).not.toThrow();
  });

  it("are told apart from what is none", () => {
    for (const none of [null, undefined, {}, "redis://localhost"]) {
      expect(() => redisStore({ client: none as never })).toThrow("client must be one of ioredis");
    }
    expect(() => redisStore({ client: createClient() as never })).not.toThrow();
  });

  it("that fail are an error with its cause, and the store stays usable", async () => {
    const own = await startRedis();
    const lonely = new Redis(own.url, { ...SAFE, enableOfflineQueue: false });
    lonely.on("error", () => {});
    const store = redisStore({ client: lonely, timeoutMs: 10_000 });
    await expect.poll(() => lonely.status).toBe("ready");
    await own.kill();
    const failed = await store.take([demand(perMinute(3))]).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RedisStoreError);
    expect((failed as RedisStoreError).cause).toBeInstanceOf(Error);
    await own.restart();
    await expect
      .poll(
        () =>
          store.take([demand(perMinute(3))]).then(
            ([one]) => one!.allowed,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
    lonely.disconnect();
    await own.stop();
  });

  it("that hang are given up in time", async () => {
    const own = await startRedis();
    const slow = new Redis(own.url, SAFE);
    await slow.ping();
    const store = redisStore({ client: slow, timeoutMs: 50 });
    own.pause();
    await expect(store.take([demand(perMinute(3))])).rejects.toMatchObject({ code: "STORE_TIMEOUT" });
    own.resume();
    await slow.ping();
    await expect(store.take([demand(perMinute(3))])).resolves.toMatchObject([{ remaining: 1 }]);
    slow.disconnect();
    await own.stop();
  });
});

describe("the store", () => {
  it("refuses algorithms that Redis does not know, names those it does, and decides the others", async () => {
    const store = open();
    const own: Algorithm = { ...tokenBucket({ limit: 1, periodMs: 1 }), name: "my-own", params: [] };
    const others = store.take([demand(perMinute(3))]);
    await expect(store.take([demand(own)])).rejects.toThrow(/token-bucket, sliding-window.*"my-own"/);
    await expect(others).resolves.toMatchObject([{ allowed: true }]);
  });

  it("decides no more when it is closed, and leaves the client open", async () => {
    const store = open();
    await store.close();
    await expect(store.take([demand(perMinute(3))])).rejects.toThrow("closed");
    await expect(store.forget([demand(perMinute(3))])).rejects.toThrow("closed");
    expect(await client.ping()).toBe("PONG");
  });

  it("has no braces in its prefix", () => {
    expect(() => open({ prefix: "{a}" })).toThrow("no braces");
  });

  it("answers nothing to nobody", async () => {
    await expect(open().take([])).resolves.toEqual([]);
  });
});
