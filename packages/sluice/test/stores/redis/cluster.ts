import { Redis } from "ioredis";
import { type RedisServer, startRedis } from "./server.ts";

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** A cluster of so many masters on loopback, each with its part of the slots, ready to be used. */
export async function startCluster(masters = 3): Promise<RedisCluster> {
  const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
  const nodes = await Promise.all(Array.from({ length: masters }, () => startRedis({ args })));
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    for (const [i, client] of clients.entries()) {
      const [from, to] = [i, i + 1].map((n) => Math.floor((n * SLOTS) / masters)) as [number, number];
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", `${i + 1}`);
      await client.call("CLUSTER", "ADDSLOTS", ...Array.from({ length: to - from }, (_, n) => `${from + n}`));
    }
    for (const { port } of nodes.slice(1)) await clients[0]!.call("CLUSTER", "MEET", "127.0.0.1", `${port}`);
    await Promise.all(clients.map((client) => isReady(client, masters)));
  } finally {
    for (const client of clients) client.disconnect();
  }
  return {
    nodes,
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

async function isReady(client: Redis, masters: number): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 20) {
    const info = String(await client.call("CLUSTER", "INFO"));
    if (info.includes("cluster_state:ok") && info.includes(`cluster_size:${masters}\r`)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("The cluster did not become ready within 15 s.");
}
