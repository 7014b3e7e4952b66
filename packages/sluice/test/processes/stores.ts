import { DatabaseSync } from "node:sqlite";
import { decide, Mode, type State, type Store } from "../../src/index.ts";
import { leased } from "../../src/stores/leased/leased.ts";
import { redisStore } from "../../src/stores/redis/redis.ts";
import { sqliteStore } from "../../src/stores/sqlite/sqlite.ts";

/** A store that a process opens by its name alone: its kind, and where its state is. */
export async function openNamed(name: string): Promise<Store> {
  const [, kind = "", place = ""] = /^([a-z+]+)=(.*)$/.exec(name) ?? [];
  const open = kinds[kind];
  if (open === undefined) throw new Error(`There is no store "${kind}".`);
  return await open(place);
}

const kinds: Readonly<Record<string, (place: string) => Store | Promise<Store>>> = {
  sqlite: (path) => sqliteStore({ path, busyTimeoutMs: 20_000 }),
  redis: overRedis,
  "leased+sqlite": (path) => leased(sqliteStore({ path, busyTimeoutMs: 20_000 })),
  "leased+redis": async (url) => leased(await overRedis(url)),
  careless: carelessStore,
};

/** A process that was stopped has not lost its time budget by that: it is long. */
async function overRedis(url: string): Promise<Store> {
  // Only where it is needed: processes are started all the time.
  const { Redis } = await import("ioredis");
  const client = new Redis(url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, lazyConnect: true });
  client.on("error", () => {});
  await client.connect();
  return { ...redisStore({ client, timeoutMs: 5_000 }), close: () => client.disconnect() };
}

/** What many limiters do over a shared store: read, think, write. Others write meanwhile, so it admits too much. */
function carelessStore(path: string): Store {
  const database = new DatabaseSync(path, { timeout: 20_000 });
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS careless (name TEXT PRIMARY KEY, state TEXT)");
  const select = database.prepare("SELECT state FROM careless WHERE name = ?");
  const upsert = database.prepare("REPLACE INTO careless VALUES (?, ?)");
  return {
    async take(demands, options) {
      const names = demands.map(({ ledger: { space }, key }) => space + key);
      const states = names.map((name) => {
        const row = select.get(name) as { state: string } | undefined;
        return row && (JSON.parse(row.state) as State);
      });
      await new Promise((resolve) => setTimeout(resolve, 2));
      const now = Date.now() * 1000;
      const steps = decide(demands, states, { elapsed: now, wall: now }, options);
      if (options?.mode !== Mode.peek) {
        for (const [i, { state }] of steps.entries()) upsert.run(names[i]!, JSON.stringify(state));
      }
      return steps;
    },
    forget: () => {},
    close: () => database.close(),
  };
}
