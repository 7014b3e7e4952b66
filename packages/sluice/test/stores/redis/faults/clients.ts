import { Redis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import { createClient } from "redis";
import type { RedisClient } from "sluice/redis";

/** A client as its owner would make it, with the options that `redisStore` recommends. */
export interface Opened {
  readonly client: RedisClient;
  /** How often it has tried to connect again. */
  readonly reconnects: number;
  readonly isReady: boolean;
  close(): void;
}

export const RECOMMENDED = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
} as const;

export const opens: Readonly<Record<string, (port: number) => Opened>> = {
  ioredis: (port) => overIoredis(new Redis({ host: "127.0.0.1", port, ...RECOMMENDED })),
  iovalkey: (port) => overIoredis(new Valkey({ host: "127.0.0.1", port, ...RECOMMENDED })),
  "node-redis": (port) => {
    const client = createClient({ url: `redis://127.0.0.1:${port}`, disableOfflineQueue: true });
    client.connect().catch(() => {});
    return opened(
      client,
      () => client.isReady,
      () => client.destroy(),
    );
  },
};

/** Clients that a test is about: two families, and a fork of one of them. */
export const CLIENTS = ["ioredis", "node-redis"] as const;

export function overIoredis(client: Redis | Valkey): Opened {
  return opened(
    client as Redis,
    () => client.status === "ready",
    () => client.disconnect(),
  );
}

/** What owners of a client do with its `error` events: without a listener the process would end. */
export function opened(
  client: RedisClient & { on(event: string, listener: () => void): unknown },
  isReady: () => boolean,
  close: () => void,
): Opened {
  let reconnects = 0;
  client.on("error", () => {});
  client.on("reconnecting", () => reconnects++);
  return {
    client,
    get reconnects() {
      return reconnects;
    },
    get isReady() {
      return isReady();
    },
    close,
  };
}

/** Waits until something holds that nothing tells of. */
export async function until(what: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const from = performance.now();
  while (!(await what())) {
    if (performance.now() - from > withinMs) throw new Error(`This did not come about within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
