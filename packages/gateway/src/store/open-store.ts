import { Redis } from "ioredis";
import { type Account, type FallbackPolicy, fallback, memoryStore, type Store } from "sluice";
import type { Metrics } from "sluice/prometheus";
import { redisStore } from "sluice/redis";
import { sqliteStore } from "sluice/sqlite";
import type { Logger } from "../log.ts";

/** Where the limits live, and what is told when it cannot be asked. */
export interface OpenedStore {
  readonly store: Store;
  /** Without a password. */
  readonly name: string;
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  /** `memory`, `sqlite:PATH`, `redis://…` or `rediss://…`. */
  readonly address: string;
  readonly log: Logger;
  /** What becomes of calls while the store fails. Asked each time, because a reload may change it. */
  onFailure(account: Account): FallbackPolicy;
  readonly metrics?: Pick<Metrics, "observeStore" | "observeStats"> | undefined;
}

/** @throws what SQLite throws for a file that it cannot use; a Redis that is not there is waited for instead. */
export function openStore({ address, log, onFailure, metrics }: OpenStoreOptions): OpenedStore {
  const { store: bare, close = async () => {} } = storeOf(address, log);
  // A word of its own for each kind: an address may have a password in it.
  const [kind] = address.split(":", 1);
  const store = metrics?.observeStore(bare, kind) ?? bare;
  const name = withoutPassword(address);
  if (address === "memory") return { store, name, close };
  const safe = fallback(store, onFailure, {
    onDegraded: ({ by, error }) => log.error({ err: error, store: name, answer: by }, "the store failed"),
  });
  metrics?.observeStats(safe, kind);
  return {
    store: safe,
    name,
    async close() {
      await safe.close?.();
      await close();
    },
  };
}

function storeOf(address: string, log: Logger): { readonly store: Store; close?(): Promise<void> } {
  if (address === "memory") return { store: memoryStore() };
  if (address.startsWith("sqlite:")) return { store: sqliteStore({ path: address.slice("sqlite:".length) }) };
  // As the store needs it: no command is sent twice, none is kept for later, and connecting is tried for ever.
  const client = new Redis(address, {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
  });
  let hasFailed = false;
  client.on("error", (error) => {
    if (!hasFailed) log.error({ err: error, store: withoutPassword(address) }, "no connection to Redis; trying again");
    hasFailed = true;
  });
  client.on("ready", () => {
    if (hasFailed) log.info({ store: withoutPassword(address) }, "connected to Redis again");
    hasFailed = false;
  });
  return { store: redisStore({ client }), close: async () => client.disconnect() };
}

/** For logs. */
function withoutPassword(address: string): string {
  return address.replace(/(?<=^rediss?:\/\/)[^/]*@/, "");
}
