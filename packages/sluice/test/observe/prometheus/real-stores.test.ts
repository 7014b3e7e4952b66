import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Registry } from "prom-client";
import { createLimiter, fallback, leased, type Store, timeout } from "sluice";
import { createMcpGate } from "sluice/mcp";
import { createUpstreams } from "sluice/outbound";
import { createMetrics } from "sluice/prometheus";
import { redisStore } from "sluice/redis";
import { sqliteStore } from "sluice/sqlite";
import { describe, expect, it } from "vitest";
import { startRedis } from "../../stores/redis/server.ts";

/** A real store, observed, and what ends it. */
const stores: Record<string, () => Promise<{ store: Store; end(): Promise<void> }>> = {
  async redis() {
    const server = await startRedis();
    const client = new Redis(server.url, {
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      lazyConnect: true,
    });
    await client.connect();
    const store = redisStore({ client });
    return {
      store,
      async end() {
        await store.close?.();
        client.disconnect();
        await server.stop();
      },
    };
  },
  async sqlite() {
    const folder = mkdtempSync(join(tmpdir(), "sluice-observed-"));
    const store = sqliteStore({ path: join(folder, "limits.db") });
    return {
      store,
      async end() {
        await store.close?.();
        rmSync(folder, { recursive: true });
      },
    };
  },
};

describe.each(Object.keys(stores))("a real store that is observed: %s", (name) => {
  it("decides, queues and leases as before, and is counted", async () => {
    const { store, end } = await stores[name]!();
    const registry = new Registry();
    const metrics = createMetrics({ registry });
    const count = async (series: string) => {
      const line = (await registry.metrics()).split("\n").find((one) => one.startsWith(series));
      return Number(line?.split(" ").at(-1) ?? 0);
    };
    const calls = (operation: string) => count(`sluice_store_calls_total{store="${name}",operation="${operation}"}`);
    const observed = metrics.observeStore(store, name);
    const safe = metrics.observeStats(fallback(timeout(observed, 5_000), "closed"), name);
    try {
      const limiter = createLimiter({ quota: "2/h", store: observed, name: "plain" });
      const allowed = [];
      for (let i = 0; i < 3; i++) allowed.push((await limiter.consume("a")).allowed);
      expect(allowed).toEqual([true, true, false]);
      expect(await calls("take")).toBe(3);

      const gate = createMcpGate({ store: safe, tools: { t: ["1/h", { concurrency: 1 }] }, ...metrics.listeners });
      for (const id of [1, 2]) {
        const request = { jsonrpc: "2.0", id, method: "tools/call", params: { name: "t" } } as const;
        (await gate.admit([request], { connection: "me" })).finish();
      }
      expect(await count('sluice_decisions_total{decision="deny"')).toBe(1);
      expect(await count(`sluice_store_up{store="${name}"}`)).toBe(1);

      const upstreams = createUpstreams({ api: "50/s" }, { store: observed, onEvent: metrics.onEvent });
      await Promise.all(Array.from({ length: 5 }, () => upstreams.api.run(async () => "done")));
      await upstreams.close();
      expect(await calls("exchange")).toBeGreaterThan(0);
      expect(await count('sluice_upstream_attempts_total{upstream="api",outcome="ok"}')).toBe(5);

      const shares = metrics.observeStore(leased(observed), "leased");
      const busy = createLimiter({ quota: "600000/min", store: shares, name: "busy" });
      for (let i = 0; i < 200; i++) await busy.consume("a");
      expect(await count('sluice_lease_decisions_total{store="leased",how="local"}')).toBeGreaterThan(100);
      expect(await count(`sluice_store_errors_total`)).toBe(0);
    } finally {
      await end();
    }
  });
});
