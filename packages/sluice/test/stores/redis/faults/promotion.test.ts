import { Redis } from "ioredis";
import { createSentinel } from "redis";
import { createLimiter, perHour } from "sluice";
import { redisStore } from "sluice/redis";
import { expect, it, onTestFinished } from "vitest";
import { type RedisServer, startRedis } from "../server.ts";
import { type Opened, opened, overIoredis, RECOMMENDED, until } from "./clients.ts";
import { leavesNoTimers } from "./timers.ts";
import { traffic } from "./traffic.ts";

const LIMIT = 150;

leavesNoTimers();

const clients: Readonly<Record<string, (sentinel: number) => Opened>> = {
  ioredis: (port) =>
    overIoredis(new Redis({ sentinels: [{ host: "127.0.0.1", port }], name: "limits", ...RECOMMENDED })),
  "node-redis": (port) => {
    const client = createSentinel({
      name: "limits",
      sentinelRootNodes: [{ host: "127.0.0.1", port }],
      maxCommandRediscovers: 0,
      nodeClientOptions: { disableOfflineQueue: true },
    });
    client.connect().catch(() => {});
    return opened(
      client,
      () => client.isReady,
      () => client.destroy(),
    );
  },
};

/** A primary, its replica, and a Sentinel that makes one of the other. */
async function primaryAndReplica(): Promise<{ primary: RedisServer; replica: RedisServer; sentinel: RedisServer }> {
  const primary = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", `${primary.port}`] });
  const sentinel = await startRedis({
    args: ["--sentinel"],
    config: [
      `sentinel monitor limits 127.0.0.1 ${primary.port} 1`,
      "sentinel down-after-milliseconds limits 400",
      "sentinel failover-timeout limits 4000",
    ].join("\n"),
  });
  const [ofReplica, ofSentinel] = [replica, sentinel].map(({ url }) => new Redis(url));
  onTestFinished(async () => {
    ofReplica!.disconnect();
    ofSentinel!.disconnect();
    await Promise.all([primary, replica, sentinel].map((server) => server.stop()));
  });
  await until(async () => (await ofReplica!.info("replication")).includes("master_link_status:up"));
  await until(async () => String(await ofSentinel!.call("INFO", "sentinel")).includes("slaves=1"));
  return { primary, replica, sentinel };
}

it("a replica promoted: at most one limit more, and back by itself, over ioredis and node-redis", async () => {
  const { primary, replica, sentinel } = await primaryAndReplica();
  const callers = await Promise.all(
    Object.entries(clients).map(async ([name, open]) => {
      const opened = open(sentinel.port);
      onTestFinished(() => opened.close());
      await until(() => opened.isReady);
      const store = redisStore({ client: opened.client, allowResend: name === "node-redis" });
      const limiter = createLimiter({ quota: perHour(LIMIT), store });
      return traffic({ consume: () => limiter.consume(name) });
    }),
  );
  await Promise.all(callers.map((calls) => calls.next("refused")));

  await primary.kill();
  await Promise.all(callers.map((calls) => calls.next("STORE_UNAVAILABLE")));
  await Promise.all(callers.map((calls) => calls.next("refused")));

  for (const calls of callers) {
    const seen = await calls.stop();
    expect(seen.count("allowed")).toBeLessThanOrEqual(2 * LIMIT);
    expect(seen.otherThan("STORE_REDIS", "STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed", "refused")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
  }
  const promoted = new Redis(replica.url);
  onTestFinished(() => promoted.disconnect());
  expect(await promoted.info("replication")).toContain("role:master");
  // These clients, the Sentinel's, those that looked at it, and the attempts to connect meanwhile.
  const stats = await promoted.info("stats");
  expect(Number(/total_connections_received:(\d+)/.exec(stats)![1])).toBeLessThan(80);
});
