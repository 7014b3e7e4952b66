import { Registry } from "prom-client";
import { createLimiter, fallback, leased, memoryStore, type Store, timeout } from "sluice";
import { createOverrides } from "sluice/mcp";
import { createUpstreams } from "sluice/outbound";
import { createMetrics } from "sluice/prometheus";
import { manualClock } from "sluice/testing";
import { describe, expect, it, vi } from "vitest";

function setup() {
  const registry = new Registry();
  const metrics = createMetrics({ registry });
  const samples = async (name: string) => {
    const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith(`sluice_${name}`));
    return Object.fromEntries(
      lines.map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at).replace(`sluice_${name}`, ""), Number(line.slice(at))];
      }),
    );
  };
  return { registry, metrics, samples };
}

/** Answers with promises, and fails when it is told to. */
function remote({ clock = manualClock() } = {}) {
  const memory = memoryStore({ clock });
  const remoteStore = {
    clock,
    failure: undefined as unknown,
    take: async (...asked: Parameters<Store["take"]>) => {
      if (remoteStore.failure !== undefined) throw remoteStore.failure;
      return memory.take(...asked);
    },
    forget: async (...asked: Parameters<Store["forget"]>) => memory.forget(...asked),
    document: (name: string) => memory.document!(name),
  };
  return remoteStore;
}

describe("an observed store", () => {
  it("is asked as before, and its calls, times and errors are counted", async () => {
    const { metrics, samples } = setup();
    const store = remote();
    const limiter = createLimiter({ quota: ["2/min", "9/h"], store: metrics.observeStore(store, "redis") });
    expect((await limiter.consume("a")).remaining).toBe(1);
    await limiter.reset("a");
    store.failure = Object.assign(new Error("secret"), { code: "ECONNREFUSED" });
    await expect(limiter.consume("a")).rejects.toThrow("secret");
    store.failure = "not even an error";
    await expect(limiter.consume("a")).rejects.toBe("not even an error");
    expect(await samples("store_calls_total")).toEqual({
      '{store="redis",operation="take"}': 3,
      '{store="redis",operation="forget"}': 1,
    });
    expect(await samples("store_errors_total")).toEqual({
      '{store="redis",operation="take",error_type="ECONNREFUSED"}': 1,
      '{store="redis",operation="take",error_type="string"}': 1,
    });
    expect(await samples("store_call_duration_seconds_count")).toEqual({
      '{store="redis",operation="take"}': 3,
      '{store="redis",operation="forget"}': 1,
    });
    expect(await samples("store_up")).toEqual({});
  });

  it("still answers at once when it is one that does, the short way too", async () => {
    const { metrics, samples } = setup();
    const store = metrics.observeStore(memoryStore(), "memory");
    const limiter = createLimiter({ quota: "2/min", store });
    expect(limiter.consume("a").allowed).toBe(true);
    expect(limiter.consume("a").allowed).toBe(true);
    expect(limiter.consume("a").allowed).toBe(false);
    expect(store.stats().keys).toBe(1);
    expect(await samples("store_calls_total")).toEqual({ '{store="memory",operation="take"}': 3 });
    expect(await samples("store_keys")).toEqual({ '{store="memory"}': 1 });
    expect(await samples("store_max_keys")).toEqual({ '{store="memory"}': 250_000 });
  });

  it("keeps the short way of a store that has to ask, its documents, and methods of a class with private fields", async () => {
    const { metrics, samples } = setup();
    class Own implements Store {
      readonly #memory = memoryStore();
      take(...asked: Parameters<Store["take"]>) {
        return Promise.resolve(this.#memory.take(...asked));
      }
      forget(...asked: Parameters<Store["forget"]>) {
        this.#memory.forget(...asked);
      }
      express: NonNullable<Store["express"]> = (quota) => ({
        take: async (key, cost, decided) => decided(this.#memory.line(quota).take(key, cost)),
      });
      document(name: string) {
        return this.#memory.document!(name);
      }
      close() {
        this.#memory.close?.();
      }
    }
    const own = new Own();
    const express = vi.spyOn(own, "express");
    const store = metrics.observeStore(own);
    const limiter = createLimiter({ quota: "2/min", store });
    expect((await limiter.consume("a")).remaining).toBe(1);
    expect(express).toHaveBeenCalledTimes(1);
    const overrides = createOverrides({ store, name: "x" });
    await overrides.set({ limit: "p", client: "c", quota: "1/s", until: Date.now() + 60_000 });
    overrides.close();
    await store.close();
    const calls = await samples("store_calls_total");
    expect(calls['{store="store",operation="take"}']).toBe(1);
    expect(calls['{store="store",operation="replace"}']).toBe(1);
    expect(calls['{store="store",operation="read"}']).toBeGreaterThan(0);
  });

  it("tells how it is stood in for while it fails", async () => {
    const { metrics, samples } = setup();
    const clock = manualClock();
    const store = remote({ clock });
    const safe = fallback(timeout(metrics.observeStore(store, "redis"), { breakAfter: Infinity }), "open");
    const over = metrics.observeStats(safe, "redis");
    expect(over).toBe(safe);
    const limiter = createLimiter({ quota: "2/min", store: over });
    await limiter.consume("a");
    store.failure = new Error("down");
    await limiter.consume("a");
    await clock.advance(1_500);
    expect(await samples("store_up")).toEqual({ '{store="redis"}': 0 });
    expect(await samples("store_degraded_seconds")).toEqual({ '{store="redis"}': 1.5 });
    expect(await samples("store_fallback_decisions_total")).toEqual({
      '{store="redis",by="store"}': 1,
      '{store="redis",by="closed"}': 0,
      '{store="redis",by="open"}': 1,
      '{store="redis",by="local_share"}': 0,
    });
    expect(await samples("store_errors_total")).toEqual({ '{store="redis",operation="take",error_type="Error"}': 1 });
    store.failure = undefined;
    await limiter.consume("a");
    expect(await samples("store_up")).toEqual({ '{store="redis"}': 1 });
  });

  it("tells what became of leased units", async () => {
    const { metrics, samples } = setup();
    const store = metrics.observeStore(leased(metrics.observeStore(remote(), "redis")), "leased");
    const limiter = createLimiter({ quota: "60000/min", store });
    for (let i = 0; i < 500; i++) await limiter.consume("a");
    const how = await samples("lease_decisions_total");
    const calls = (await samples("store_calls_total"))['{store="redis",operation="take"}']!;
    expect(how['{store="leased",how="store_call"}']).toBe(calls);
    expect(how['{store="leased",how="local"}']).toBeGreaterThan(400);
    const units = await samples("lease_units_total");
    const { held } = store.stats();
    expect(await samples("lease_held_units")).toEqual({ '{store="leased"}': held });
    expect(units['{store="leased",state="used"}']).toBe(500);
    expect(units['{store="leased",state="granted"}']).toBe(500 + held);
    await store.close();
    expect((await samples("lease_units_total"))['{store="leased",state="returned"}']).toBe(held);
  });

  it("counts what a shared queue is asked", async () => {
    const { metrics, samples } = setup();
    const memory = remote();
    const asked: string[] = [];
    const store: Store = {
      ...memory,
      queue: () => ({
        exchange: async () => {
          asked.push("exchange");
          throw new Error("down");
        },
        close: () => {},
      }),
    };
    const seat = { owner: "me", inform: () => {} };
    const queue = metrics.observeStore(store, "q").queue!({} as never, seat);
    await expect(queue.exchange({} as never)).rejects.toThrow("down");
    queue.close();
    expect(asked).toEqual(["exchange"]);
    expect(await samples("store_errors_total")).toEqual({ '{store="q",operation="exchange",error_type="Error"}': 1 });
  });

  it("has a name that no other has", () => {
    const { metrics } = setup();
    metrics.observeStore(memoryStore(), "a");
    expect(() => metrics.observeStore(memoryStore(), "a")).toThrow('under the name "a" already');
  });
});

describe("observed upstreams", () => {
  it("tell what they do and where they stand", async () => {
    const { metrics, samples } = setup();
    const clock = manualClock();
    const upstreams = createUpstreams(
      {
        api: { limit: "2/s", retry: { attempts: 2 }, breaker: {} },
        plain: { limit: "9/s", breaker: false },
      },
      { store: memoryStore({ clock }), onEvent: metrics.onEvent },
    );
    expect(metrics.observeUpstreams(upstreams)).toBe(upstreams);
    await upstreams.api.run(() => "fine");
    const failing = upstreams.api.run(() => new Response("", { status: 503 }), { idempotent: true }).catch(() => {});
    await clock.advance(20_000);
    await failing;
    await upstreams.api.run(() => "late", { maxWaitMs: 0 }).catch(() => {});
    expect(await samples("upstream_attempts_total")).toMatchObject({ '{upstream="api",outcome="ok"}': 2 });
    expect(await samples("upstream_retries_total")).toEqual({ '{upstream="api"}': 1 });
    const started = (await samples("upstream_wait_seconds_count"))['{upstream="api"}']!;
    const ended = Object.values(await samples("upstream_attempts_total")).reduce((a, b) => a + b, 0);
    expect(started).toBe(ended);
    const states = await samples("upstream_breaker_state");
    expect(Object.values(states).reduce((a, b) => a + b, 0)).toBe(1);
    expect(Object.keys(states).every((labels) => labels.includes("api"))).toBe(true);
    expect(await samples("upstream_rate_ratio")).toEqual({ '{upstream="api"}': 1, '{upstream="plain"}': 1 });
    expect(await samples("upstream_waiting_calls")).toEqual({ '{upstream="api"}': 0, '{upstream="plain"}': 0 });
    expect(Object.keys(await samples("upstream_coalesced_calls_total"))).toHaveLength(6);
    await upstreams.close();
    await upstreams.api.run(() => "closed").catch(() => {});
    expect(await samples("upstream_refusals_total")).toMatchObject({ '{upstream="api",reason="closed"}': 1 });
  });

  it("count every kind of event", async () => {
    const { metrics, samples } = setup();
    const { onEvent } = metrics;
    const upstream = "api";
    onEvent({ upstream, type: "queued", position: 1, startsInMs: 5 });
    onEvent({ upstream, type: "throttled" });
    onEvent({ upstream, type: "used-elsewhere", limit: "x", units: 7 });
    onEvent({ upstream, type: "store-failed", error: new Error() });
    onEvent({
      ...{ upstream, type: "breaker", from: "closed", to: "open" },
      ...{ generation: 1, cause: "outcomes", openForMs: 5 },
    } as never);
    expect(await samples("upstream_throttles_total")).toEqual({ '{upstream="api"}': 1 });
    expect(await samples("upstream_used_elsewhere_units_total")).toEqual({ '{upstream="api"}': 7 });
    expect(await samples("upstream_store_failures_total")).toEqual({ '{upstream="api"}': 1 });
    expect(await samples("upstream_breaker_changes_total")).toEqual({ '{upstream="api",to="open"}': 1 });
  });
});
