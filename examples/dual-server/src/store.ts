import type { Logger } from "pino";
import { createClient } from "redis";
import { fallback, memoryStore, type Store } from "sluice";
import { redisStore } from "sluice/redis";
import { sqliteStore } from "sluice/sqlite";
import { ConfigError, type StoreChoice } from "./config.ts";

/** The store of all limits, and what closes it. */
export interface OpenStore {
  readonly store: Store;
  close(): Promise<void>;
}

/**
 * Opens the store. While a shared store cannot be reached, calls are refused: HTTP answers 503, not 429.
 *
 * @throws ConfigError when it cannot be opened
 */
export async function openStore(choice: StoreChoice, log: Logger): Promise<OpenStore> {
  if (choice.kind === "memory") return { store: memoryStore(), close: async () => {} };
  try {
    const { store, close } = choice.kind === "sqlite" ? openFile(choice.path) : await openRedis(choice.url, log);
    return { store: fallback(store, "closed"), close };
  } catch (error) {
    throw new ConfigError(`STORE cannot be opened. ${(error as Error).message}`, { cause: error });
  }
}

function openFile(path: string): OpenStore {
  const store = sqliteStore({ path });
  return { store, close: () => store.close() };
}

async function openRedis(url: string, log: Logger): Promise<OpenStore> {
  // Without its queue, commands fail at once while Redis is away; the client itself goes on to reconnect.
  const client = createClient({ url, disableOfflineQueue: true });
  let isReady = false;
  const connected = new Promise<void>((resolve, reject) => {
    client.once("ready", resolve);
    client.on("error", (error: Error) => {
      if (isReady) log.warn(`Redis: ${error.message || error.name}`);
      else reject(error);
    });
  });
  try {
    void client.connect().catch(() => {});
    await connected;
    isReady = true;
  } catch (error) {
    client.destroy();
    throw error;
  }
  return { store: redisStore({ client }), close: async () => client.destroy() };
}
