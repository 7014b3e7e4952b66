import { Cluster, Redis } from "ioredis";
import { Redis as Valkey, Cluster as ValkeyCluster } from "iovalkey";
import { createClient, createCluster, createSentinel } from "redis";
import { type RedisClient, type RedisStoreOptions, redisStore } from "sluice/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisCluster, startCluster } from "../cluster.ts";
import { type RedisServer, startRedis } from "../server.ts";
import { relay } from "./relay.ts";

let server: RedisServer;
/** Sentinels hear too, so theirs is another server. */
let watched: RedisServer;
let sentinel: RedisServer;
let cluster: RedisCluster;
let observer: Redis;
const closings: (() => unknown)[] = [];

beforeAll(async () => {
  [server, watched, cluster] = await Promise.all([startRedis(), startRedis(), startCluster(3)]);
  observer = new Redis(server.url);
  sentinel = await startRedis({
    args: ["--sentinel"],
    config: `sentinel monitor limits 127.0.0.1 ${watched.port} 1`,
  });
});

afterAll(async () => {
  for (const close of closings) close();
  observer.disconnect();
  await Promise.all([server, watched, sentinel, cluster].map((running) => running.stop()));
});

/** As `redisStore` recommends, offline queues included: the connection for hearing must manage all the same. */
const SAFE = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, enableOfflineQueue: false };
type Opened = RedisClient & { disconnect(): void };

interface Ioredis {
  readonly status: string;
  on(event: string, listener: () => void): unknown;
  disconnect(): void;
}

async function ready(client: Ioredis): Promise<Opened> {
  client.on("error", () => {});
  closings.push(() => client.disconnect());
  await expect.poll(() => client.status).toBe("ready");
  return client as unknown as Opened;
}

const nodes = () => cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));

async function nodeRedis(options: object): Promise<Opened> {
  const client = createClient({ url: server.url, disableOfflineQueue: true, ...options });
  client.on("error", () => {});
  closings.push(() => client.destroy());
  return (await client.connect()) as unknown as Opened;
}

const clients: Readonly<Record<string, () => Promise<Opened>>> = {
  ioredis: () => ready(new Redis(server.url, SAFE)),
  "ioredis with names of its own": () => ready(new Redis(server.url, { ...SAFE, keyPrefix: "mine:" })),
  iovalkey: () => ready(new Valkey(server.url, SAFE)),
  "node-redis over RESP2": () => nodeRedis({ RESP: 2 }),
  "node-redis over RESP3": () => nodeRedis({ RESP: 3 }),
  "ioredis with a Sentinel": () =>
    ready(new Redis({ sentinels: [{ host: "127.0.0.1", port: sentinel.port }], name: "limits", ...SAFE })),
  "node-redis with a Sentinel": async () => {
    const client = createSentinel({ name: "limits", sentinelRootNodes: [{ host: "127.0.0.1", port: sentinel.port }] });
    client.on("error", () => {});
    closings.push(() => client.destroy());
    return (await client.connect()) as unknown as Opened;
  },
  "ioredis Cluster": () => ready(new Cluster(nodes(), { retryDelayOnFailover: 0, enableOfflineQueue: false })),
  "iovalkey Cluster": () => ready(new ValkeyCluster(nodes(), { retryDelayOnFailover: 0, enableOfflineQueue: false })),
  "node-redis cluster": async () => {
    const client = createCluster({ rootNodes: cluster.nodes.map(({ url }) => ({ url })) });
    client.on("error", () => {});
    closings.push(() => client.destroy());
    return (await client.connect()) as unknown as Opened;
  },
};

let opened = 0;
const open = (client: RedisClient, options: Partial<RedisStoreOptions> = {}) =>
  redisStore({ client, prefix: `c${opened}:`, timeoutMs: 10_000, allowResend: true, ...options });

const hearing = async (): Promise<number> =>
  String(await observer.call("CLIENT", "LIST", "TYPE", "pubsub"))
    .split("\n")
    .filter((line) => line !== "").length;

describe.each(Object.entries(clients))("queues over %s", (name, make) => {
  it("tell other processes what they are granted, and come back when the connection breaks", async () => {
    opened++;
    const stores = [open(await make()), open(await make())] as const;
    const run = relay([stores[0], stores[1]]);
    await run.handOver();
    expect(run.heard).toMatchObject({
      grants: [{ lane: "~b~y", receipts: { length: 4 }, usable: 1_000_000, limit: 1 }],
    });
    await run.handOver();
    const servers = name.endsWith("luster") ? cluster.nodes : [server, watched];
    for (const { url } of servers) {
      const killer = new Redis(url);
      await killer.call("CLIENT", "KILL", "TYPE", "pubsub");
      killer.disconnect();
    }
    await run.handOver();
    await run.handOver();
    for (const store of stores) await store.close();
  }, 60_000);
});

describe.each(["ioredis", "iovalkey", "node-redis over RESP3"])("the connection of %s for hearing", (name) => {
  it("is there while there is a queue", async () => {
    opened++;
    const client = await clients[name]!();
    const store = open(client);
    expect(await hearing()).toBe(0);
    const { queues } = relay([store, store]);
    await expect.poll(hearing).toBe(1);
    await queues[0]!.close();
    await expect(queues[0]!.exchange({})).rejects.toThrow("is closed");
    await queues[1]!.exchange({});
    expect(await hearing()).toBe(1);
    await queues[1]!.close();
    await expect.poll(hearing).toBe(0);
    const again = relay([store, store]);
    await again.handOver();
    await store.close();
    await expect.poll(hearing).toBe(0);
    await expect(again.queues[0]!.exchange({})).rejects.toThrow("is closed");
    expect(() => relay([store, store])).toThrow("is closed");
  });

  it("is the one that was given, and then stays open", async () => {
    opened++;
    const client = await clients[name]!();
    const subscriber = await clients[name]!();
    const store = open(client, { subscriber });
    const run = relay([store, store]);
    await run.handOver();
    expect(await hearing()).toBe(1);
    for (const queue of run.queues) await queue.close();
    const again = relay([store, store]);
    await again.handOver();
    await store.close();
    subscriber.disconnect?.();
  });
});
