import { Cluster, Redis } from "ioredis";
import { createCluster } from "redis";
import { createLimiter, perHour } from "sluice";
import { redisStore } from "sluice/redis";
import { expect, it, onTestFinished } from "vitest";
// The slot of a key, as the store sees it.
import { slotOf } from "../../../../src/stores/redis/slot.ts";
import { type RedisCluster, startCluster } from "../cluster.ts";
import { type Opened, opened, until } from "./clients.ts";
import { moveSlot } from "./moving-slot.ts";
import { leavesNoTimers } from "./timers.ts";
import { type Call, type Traffic, traffic } from "./traffic.ts";

leavesNoTimers();

const clients: Readonly<Record<string, (ports: readonly number[]) => Opened>> = {
  ioredis: (ports) => {
    const nodes = ports.map((port) => ({ host: "127.0.0.1", port }));
    const client = new Cluster(nodes, {
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      enableOfflineQueue: false,
    });
    return opened(
      client,
      () => client.status === "ready",
      () => client.disconnect(),
    );
  },
  "node-redis": (ports) => {
    const rootNodes = ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
    const client = createCluster({ rootNodes, defaults: { disableOfflineQueue: true } });
    let isConnected = false;
    client.connect().then(
      () => {
        isConnected = true;
      },
      () => {},
    );
    return opened(
      client,
      () => isConnected,
      () => client.destroy(),
    );
  },
};

async function scene(): Promise<{ cluster: RedisCluster; masters: readonly Redis[] }> {
  const cluster = await startCluster(3);
  const masters = cluster.nodes.map(({ port }) => new Redis({ host: "127.0.0.1", port }));
  for (const master of masters) master.on("error", () => {});
  onTestFinished(async () => {
    for (const master of masters) master.disconnect();
    await cluster.stop();
  });
  return { cluster, masters };
}

async function open(name: string, { nodes }: RedisCluster): Promise<Opened> {
  const client = clients[name]!(nodes.map(({ port }) => port));
  onTestFinished(() => client.close());
  await until(() => client.isReady);
  // Connections to nodes are made when they are first needed, and ioredis fails calls that come meanwhile.
  const warm = createLimiter({ quota: perHour(1), store: redisStore({ client: client.client, timeoutMs: 5_000 }) });
  for (let i = 0; i < 12; i++) await warm.peek(`warm-${i}`);
  return client;
}

it("a slot moved key by key under load: nothing is lost and nothing is over, over ioredis and node-redis", async () => {
  const LIMIT = 200;
  const { cluster, masters } = await scene();
  const slot = slotOf("tenant");
  const home = Math.floor((slot * 3) / 16_384);
  const scenes = await Promise.all(
    Object.keys(clients).map(async (name) => {
      const { client } = await open(name, cluster);
      const store = redisStore({ client, prefix: `${name}:`, hashTag: () => "tenant", timeoutMs: 2_000 });
      // Two keys in one call: while one of them has moved and the other has not, Redis says TRYAGAIN.
      const limiter = createLimiter({ quota: perHour(LIMIT), store });
      const names = ["a", "b", "c", "d"];
      let turn = 0;
      const consume = () => limiter.consume([names[turn++ % 4]!, names[turn % 4]!]);
      return { limiter, names, calls: traffic({ consume, perTurn: 1 }) };
    }),
  );
  const each = (what: (calls: Traffic) => Promise<unknown>) => Promise.all(scenes.map(({ calls }) => what(calls)));
  await each((calls) => calls.next("allowed"));
  const target = masters[(home + 1) % 3]!;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
  await moveSlot({ slot, from: masters[home]!, to: target, masters, between: pause });
  await each((calls) => calls.next("refused"));

  for (const { limiter, names, calls } of scenes) {
    const seen = await calls.stop();
    // Each call took one unit of each of two neighbours.
    expect(seen.otherThan("allowed", "refused")).toEqual([]);
    const left = await Promise.all(names.map(async (key) => (await limiter.peek(key, 0)).remaining));
    expect(2 * seen.count("allowed")).toBe(left.reduce((sum, remaining) => sum + LIMIT - remaining, 0));
    expect(seen.count("allowed")).toBeGreaterThan(LIMIT);
    expect(seen.count("allowed")).toBeLessThanOrEqual(2 * LIMIT);
  }
  // Redis really said so, in all three ways.
  const errors = await Promise.all(masters.map((master) => master.info("errorstats")));
  for (const kind of ["MOVED", "ASK", "TRYAGAIN"]) expect(errors.join("\n")).toContain(`errorstat_${kind}:`);
});

it("a master killed: calls to its slots fail in time, others go on, and it comes back by itself", async () => {
  const LIMIT = 150;
  const { cluster, masters } = await scene();
  for (const master of masters) await master.call("CONFIG", "SET", "cluster-require-full-coverage", "no");
  const names = [0, 1, 2].map((node) => {
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    return keys.find((key) => Math.floor((slotOf(`{${key}}`) * 3) / 16_384) === node)!;
  });
  const scenes = await Promise.all(
    Object.keys(clients).map(async (name) => {
      const { client } = await open(name, cluster);
      const limiter = createLimiter({ quota: perHour(LIMIT), store: redisStore({ client, prefix: `${name}:` }) });
      return names.map((key) => traffic({ consume: () => limiter.consume(key), perTurn: 1 }));
    }),
  );
  const all = scenes.flat();
  const ofDead = scenes.map((callers) => callers[0]!);
  await Promise.all(all.map((calls) => calls.next("refused")));

  const from = performance.now();
  await cluster.nodes[0]!.kill();
  await Promise.all(ofDead.map((calls) => calls.next("STORE_REDIS")));
  const before = all.map(({ calls }) => calls.length);
  await until(() => all.every(({ calls }, i) => calls.length > before[i]! + 200));
  const outage = ({ calls }: Traffic) => calls.filter(({ at }) => at > from);
  const isServed = ({ outcome }: Call) => outcome === "refused" || outcome === "allowed";
  for (const calls of ofDead) expect(outage(calls).slice(-100).filter(isServed)).toEqual([]);
  await cluster.nodes[0]!.restart();
  await Promise.all(ofDead.map((calls) => calls.next("allowed")));
  await Promise.all(ofDead.map((calls) => calls.next("refused")));

  for (const calls of all) {
    const seen = await calls.stop();
    if (!ofDead.includes(calls)) {
      expect(outage(calls).filter(isServed).length).toBeGreaterThan(0.8 * outage(calls).length);
    }
    expect(seen.count("allowed")).toBeLessThanOrEqual(ofDead.includes(calls) ? 2 * LIMIT : LIMIT);
    expect(seen.otherThan("STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed", "refused")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
  }
  // All connections that the living masters have had, with those of the cluster's own start.
  for (const master of masters.slice(1)) {
    const stats = await master.info("stats");
    expect(Number(/total_connections_received:(\d+)/.exec(stats)![1])).toBeLessThan(150);
  }
});
