import { createLimiter, perHour, StoreTimeoutError, StoreUnavailableError } from "sluice";
import { redisStore } from "sluice/redis";
import { expect, it, onTestFinished } from "vitest";
import { startRedis } from "../server.ts";
import { CLIENTS, opens, until } from "./clients.ts";
import { startProxy } from "./proxy.ts";
import { leavesNoTimers } from "./timers.ts";
import { traffic } from "./traffic.ts";

/** More than is asked for: what is left tells what was charged. */
const LIMIT = 100_000;

leavesNoTimers();

it.each(CLIENTS)(
  "Redis stalled: calls fail in time, then at once; what was sent is charged once; back by itself (%s)",
  async (name) => {
    const server = await startRedis();
    const proxy = await startProxy(server.port);
    const opened = opens[name]!(proxy.port);
    onTestFinished(async () => {
      opened.close();
      await proxy.close();
      await server.stop();
    });
    await until(() => opened.isReady);
    const limiter = createLimiter({ quota: perHour(LIMIT), store: redisStore({ client: opened.client }) });
    const calls = traffic({ consume: () => limiter.consume("caller") });
    await calls.next("allowed");

    server.pause();
    const late = await calls.next("STORE_TIMEOUT");
    await calls.next("STORE_UNAVAILABLE");
    const from = performance.now();
    // Calls that were sent before are answered with the others.
    const [sent, ended] = [proxy.scripts, calls.calls.length];
    await until(() => calls.calls.length > ended + 300);
    const probes = proxy.scripts - sent;
    const outageMs = performance.now() - from;
    server.resume();
    await calls.next("allowed");
    const seen = await calls.stop();

    expect(late.error).toBeInstanceOf(StoreTimeoutError);
    expect(seen.calls.find(({ outcome }) => outcome === "STORE_UNAVAILABLE")?.error).toBeInstanceOf(
      StoreUnavailableError,
    );
    expect(seen.otherThan("STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    expect(seen.calls.filter(({ at }) => at > from && at < from + outageMs).length).toBeGreaterThan(200);
    // One at a time, after pauses of at least half a second.
    expect(probes).toBeLessThanOrEqual(1 + outageMs / 500);
    expect(proxy.arrived).toBeLessThan(5);

    const charged = LIMIT - (await limiter.peek("caller", 0)).remaining;
    expect(charged).toBe(seen.count("allowed") + seen.count("STORE_TIMEOUT"));
  },
);

it.each(CLIENTS)(
  "Redis that answers too late for a while: nothing is charged twice, and it recovers (%s)",
  async (name) => {
    const server = await startRedis();
    const proxy = await startProxy(server.port);
    const opened = opens[name]!(proxy.port);
    onTestFinished(async () => {
      opened.close();
      await proxy.close();
      await server.stop();
    });
    await until(() => opened.isReady);
    const limiter = createLimiter({ quota: perHour(LIMIT), store: redisStore({ client: opened.client }) });
    const calls = traffic({ consume: () => limiter.consume("caller") });
    await calls.next("allowed");

    proxy.delayMs = 120;
    await calls.next("STORE_TIMEOUT");
    await calls.next("STORE_UNAVAILABLE");
    proxy.delayMs = 0;
    await calls.next("allowed");
    const seen = await calls.stop();

    expect(seen.otherThan("STORE_TIMEOUT", "STORE_UNAVAILABLE", "allowed")).toEqual([]);
    expect(seen.slowestMs).toBeLessThan(70);
    expect(proxy.arrived).toBeLessThan(5);
    const charged = LIMIT - (await limiter.peek("caller", 0)).remaining;
    expect(charged).toBe(seen.count("allowed") + seen.count("STORE_TIMEOUT"));
  },
);
