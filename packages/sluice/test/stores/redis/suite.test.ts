import fc from "fast-check";
import { Cluster, Redis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import { createClient, createCluster } from "redis";
import type { Store } from "sluice";
import { type RedisClient, redisStore } from "sluice/redis";
import { type ManualClock, storeSuite } from "sluice/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seeded } from "../../algorithms/subjects.ts";
import { type RedisCluster, startCluster } from "./cluster.ts";
import { type RedisServer, startRedis } from "./server.ts";

let server: RedisServer;
let cluster: RedisCluster;
const clients: Record<string, RedisClient> = {};
const closings: (() => unknown)[] = [];

beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startCluster(3)]);
  const { url } = server;
  const options = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
  const nodes = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
  const ioredis = new Redis(url, options);
  const iovalkey = new Valkey(url, options);
  const ioredisCluster = new Cluster(nodes, { retryDelayOnFailover: 0 });
  const nodeRedis = await createClient({ url }).connect();
  const nodeRedisCluster = await createCluster({
    rootNodes: cluster.nodes.map((node) => ({ url: node.url })),
  }).connect();
  closings.push(
    () => ioredis.disconnect(),
    () => iovalkey.disconnect(),
    () => ioredisCluster.disconnect(),
    () => nodeRedis.destroy(),
    () => nodeRedisCluster.destroy(),
  );
  Object.assign(clients, {
    ioredis,
    iovalkey,
    "node-redis": nodeRedis,
    "ioredis Cluster": ioredisCluster,
    "node-redis cluster": nodeRedisCluster,
  });
});

afterAll(async () => {
  for (const close of closings) close();
  await Promise.all([server.stop(), cluster.stop()]);
});

/** One clock for both times: even receipts must be the same. Every store begins empty, under a prefix of its own. */
let opened = 0;
function open(name: string, clock: ManualClock, options: { hashTag?: () => string; prefix?: string } = {}): Store {
  clock.elapsed = clock.wall;
  return redisStore({ client: clients[name]!, clock, prefix: `t${opened++}:`, timeoutMs: 10_000, ...options });
}

const run = (check: (random: () => number) => Promise<void>, numRuns: number) =>
  fc.assert(
    fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
    { numRuns, endOnFailure: true },
  );

describe.each(["ioredis", "iovalkey", "node-redis", "ioredis Cluster", "node-redis cluster"])(
  "the Redis store over %s",
  (name) => {
    it.each(storeSuite((clock) => open(name, clock)))("$name", ({ check }) => run(check, 20));
  },
);

describe("the Redis store over a Cluster, with one tag for all keys", () => {
  it.each(storeSuite((clock) => open("ioredis Cluster", clock, { hashTag: () => "all" })))("$name", ({ check }) =>
    run(check, 10),
  );
});

it("is one store for clients of several processes", async () => {
  const names = ["ioredis", "iovalkey", "node-redis"];
  const suite = storeSuite((clock) => {
    const prefix = `shared${opened++}:`;
    const stores = names.map((name) => open(name, clock, { prefix }));
    let calls = 0;
    return { ...stores[0]!, take: (...args) => stores[calls++ % stores.length]!.take(...args) };
  });
  for (const { check } of suite) for (let seed = 0; seed < 5; seed++) await check(seeded(seed));
});

it("finds a store out that has its own idea of a state", async () => {
  const [suite] = storeSuite((clock) => {
    const stores = ["ioredis", "node-redis"].map((name) => open(name, clock));
    let calls = 0;
    return { ...stores[0]!, take: (...args) => stores[calls++ % 2]!.take(...args) };
  });
  await expect(suite!.check(seeded(1))).rejects.toThrow("but decide says");
});
