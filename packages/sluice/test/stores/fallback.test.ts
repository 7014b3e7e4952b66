import fc from "fast-check";
import { createLimiter, fallback, memoryStore, RateLimitError, timeout } from "sluice";
import { type ManualClock, manualClock, storeSuite } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { seeded } from "../algorithms/subjects.ts";
import { POLICIES, scene, unavailable } from "./fallback-scene.ts";
import { faultyStore } from "./faulty-store.ts";
import { expectNoUnhandledRejections } from "./unhandled-rejections.ts";

expectNoUnhandledRejections();

describe.each(Object.entries(POLICIES))("a store with the fallback %s", (_name, policy) => {
  it.each(storeSuite((clock) => fallback(faultyStore(clock), policy)))("$name", async ({ check }) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

describe("closed", () => {
  it("refuses, marked, until the store may be asked again", async () => {
    const { faulty, limiter } = scene("closed");
    faulty.health = "down";
    expect(await limiter.consume("k")).toEqual({
      allowed: false,
      quota: "per-minute",
      limit: 10,
      remaining: 0,
      retryAfterMs: 1000,
      resetAfterMs: 1000,
      degraded: true,
    });
    faulty.error = unavailable(4321);
    expect(await limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: 4321, degraded: true });
    expect(await limiter.peek("k")).toMatchObject({ allowed: false, retryAfterMs: 4321, degraded: true });
    faulty.health = "up";
    expect(await limiter.consume("k")).toMatchObject({ allowed: true, remaining: 9, degraded: false });
  });

  it("lets work be settled that was admitted before, though the store does not hear of it", async () => {
    const { faulty, limiter } = scene("closed");
    const reservation = await limiter.reserve("k", 5);
    faulty.health = "down";
    await reservation.commit(7);
    await limiter.refund("k");
    faulty.health = "up";
    expect(await limiter.peek("k")).toMatchObject({ remaining: 4 });
  });

  it("throws what the waiting get, and says that it was not their doing", async () => {
    const { faulty, limiter } = scene("closed");
    faulty.health = "down";
    const error = await limiter.wait("k", { maxWaitMs: 0 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({
      decision: { degraded: true },
      message: expect.stringContaining("could not be checked"),
    });
  });

  it("lets those who wait try again, and go when the store is back", async () => {
    const { clock, faulty, limiter } = scene("closed");
    faulty.health = "down";
    const waiting = limiter.wait("k", { maxWaitMs: 5000 });
    await clock.advance(2500);
    faulty.health = "up";
    await clock.advance(500);
    expect(await waiting).toMatchObject({ allowed: true, degraded: false });
  });
});

describe("open", () => {
  it("allows, and does not pretend to know what is left", async () => {
    const { faulty, limiter, direct } = scene("open", "1/min");
    faulty.health = "down";
    for (let i = 0; i < 3; i++) {
      expect(await limiter.consume("k")).toMatchObject({
        allowed: true,
        remaining: 0,
        retryAfterMs: 0,
        degraded: true,
      });
    }
    expect(await limiter.peek("k")).toMatchObject({ allowed: true, degraded: true });
    expect(direct.peek("k", 0).remaining).toBe(1);
  });

  it("hands nothing back that was never taken", async () => {
    const { faulty, limiter, direct, recover } = scene("open");
    await limiter.consume("k", 4);
    faulty.health = "down";
    const reservation = await limiter.reserve("k", 3);
    await recover();
    await reservation.release();
    expect(direct.peek("k", 0).remaining).toBe(6);
  });
});

describe.each(Object.entries(POLICIES))("whatever the policy: %s", (_name, policy) => {
  it("throws the store's error for a reset and a block: they were not done", async () => {
    const { faulty, limiter } = scene(policy);
    faulty.health = "down";
    await expect(limiter.reset("k")).rejects.toBe(faulty.error);
    await expect(limiter.block("k", 1000)).rejects.toBe(faulty.error);
    faulty.health = "up";
    await limiter.block("k", 1000);
    expect(await limiter.consume("k")).toMatchObject({ allowed: false, quota: "block", degraded: false });
    await limiter.reset("k");
    expect(await limiter.consume("k")).toMatchObject({ allowed: true });
  });

  it("throws what is the caller's own fault", async () => {
    const { faulty, store, limiter } = scene(policy);
    faulty.health = "down";
    faulty.error = new RangeError("a cost of half a unit");
    await expect(limiter.consume("k")).rejects.toBe(faulty.error);
    expect(store.stats().degraded).toBe(0);
  });

  it("counts, and tells of each outage once", async () => {
    const { clock, faulty, store, limiter, onDegraded } = scene(policy);
    const by = typeof policy === "string" ? policy : "localShare";
    await limiter.consume("k");
    faulty.health = "down";
    await limiter.consume("k");
    await clock.advance(2500);
    await limiter.consume("k");
    expect(onDegraded.mock.calls).toEqual([[{ by, error: faulty.error }]]);
    expect(store.stats()).toEqual({
      decisions: 3,
      degraded: 2,
      closed: 0,
      open: 0,
      localShare: 0,
      [by]: 2,
      degradedForMs: 2500,
      unreported: 0,
    });
    faulty.health = "up";
    await limiter.consume("k");
    expect(store.stats()).toMatchObject({ decisions: 4, degraded: 2, degradedForMs: 0 });
    faulty.health = "down";
    await limiter.consume("k");
    expect(onDegraded).toHaveBeenCalledTimes(2);
  });

  it("answers at once over a store that does, also when that throws", () => {
    const memory = memoryStore();
    let isDown = false;
    const store = fallback(
      {
        ...memory,
        take(...args) {
          if (isDown) throw new Error("no memory");
          return memory.take(...args);
        },
      },
      policy,
    );
    const limiter = createLimiter({ quota: "1/min", store });
    expect(limiter.consume("k")).toMatchObject({ allowed: true, degraded: false });
    expect(limiter.consume("k")).toMatchObject({ allowed: false, degraded: false });
    isDown = true;
    expect(limiter.consume("k")).toMatchObject({ allowed: policy !== "closed", degraded: true });
    expect(store.stats()).toMatchObject({ decisions: 3, degraded: 1 });
  });
});

it("takes no other policy", () => {
  expect(() => fallback(faultyStore(manualClock()), "ajar" as "open")).toThrow('"closed", "open" or localShare');
});

it("works over a timeout: a store that hangs costs its time budget a few times, then nothing", async () => {
  const clock: ManualClock = manualClock();
  const faulty = faultyStore(clock);
  const limiter = createLimiter({ quota: "10/min", store: fallback(timeout(faulty), "closed") });
  faulty.health = "hung";
  for (let i = 0; i < 5; i++) {
    const decision = limiter.consume("k");
    await clock.advance(50);
    expect(await decision).toMatchObject({ allowed: false, degraded: true, retryAfterMs: 1000 });
  }
  const at = clock.elapsed();
  const { retryAfterMs } = await limiter.consume("k");
  expect(clock.elapsed()).toBe(at);
  expect(faulty.asked).toHaveLength(5);
  faulty.health = "up";
  await clock.advance(retryAfterMs);
  expect(await limiter.consume("k")).toMatchObject({ allowed: true, degraded: false });
});
