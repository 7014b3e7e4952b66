import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { fallback, leased, memoryStore, rememberRefusals, type Store, timeout } from "sluice";
import { redisStore } from "sluice/redis";
import { sqliteStore } from "sluice/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "./redis/server.ts";

let server: RedisServer;
const clients: Redis[] = [];

const redis = (prefix: string) => {
  const client = new Redis(server.url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });
  clients.push(client);
  return redisStore({ client, prefix, timeoutMs: 2_000 });
};

beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  for (const one of clients) one.disconnect();
  await server.stop();
});

/** Two stores over one place, as two processes have them. */
const places: Record<string, () => readonly [Store, Store]> = {
  memory: () => {
    const store = memoryStore();
    return [store, store];
  },
  SQLite: () => {
    const path = join(mkdtempSync(join(tmpdir(), "sluice-documents-")), "limits.db");
    return [sqliteStore({ path }), sqliteStore({ path })];
  },
  Redis: () => {
    const prefix = `documents-${Math.random().toString(36).slice(2)}:`;
    return [redis(prefix), redis(prefix)];
  },
  "Redis, behind everything": () => {
    const prefix = `documents-${Math.random().toString(36).slice(2)}:`;
    const wrapped = () => fallback(leased(rememberRefusals(timeout(redis(prefix), 2_000))), "closed");
    return [wrapped(), wrapped()];
  },
};

describe.each(Object.entries(places))("documents in %s", (_, open) => {
  let a: Store;
  let b: Store;
  beforeAll(() => {
    [a, b] = open();
  });
  afterAll(async () => {
    await a.close?.();
    if (b !== a) await b.close?.();
  });

  it("are read by all, and written by whoever knows what stands there", async () => {
    const [mine, yours] = [a.document!("x"), b.document!("x")];
    expect(await mine.read()).toBeUndefined();
    expect(await mine.replace(1, "nothing has version 1")).toBe(false);
    expect(await mine.replace(0, "first: ſ😀\n\0")).toBe(true);
    expect(await yours.read()).toEqual({ version: 1, text: "first: ſ😀\n\0" });
    expect(await yours.replace(0, "too late")).toBe(false);
    expect(await yours.replace(1, "")).toBe(true);
    expect(await mine.read()).toEqual({ version: 2, text: "" });
    expect(await b.document!("y").read()).toBeUndefined();
  });

  it("lose no change of those who write at once", async () => {
    const add = async (store: Store) => {
      const counter = store.document!("counter");
      for (;;) {
        const found = await counter.read();
        if (await counter.replace(found?.version ?? 0, String(Number(found?.text ?? 0) + 1))) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_one, i) => add(i % 2 === 0 ? a : b)));
    expect(await a.document!("counter").read()).toEqual({ version: 20, text: "20" });
  });
});
