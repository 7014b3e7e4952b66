import fc from "fast-check";
import {
  type Algorithm,
  createConcurrencyLimiter,
  createLimiter,
  type FallbackPolicy,
  fallback,
  localShare,
  Mode,
  memoryStore,
  quota,
  RateLimitError,
  StoreUnavailableError,
  slidingWindow,
  timeout,
} from "sluice";
import { type ManualClock, manualClock, storeSuite } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { seeded } from "../algorithms/subjects.ts";
import { settled } from "../limiter/held-store.ts";
import { faultyStore } from "./faulty-store.ts";

const unhandled = vi.fn();
beforeEach(() => void process.on("unhandledRejection", unhandled));
afterEach(async () => {
  await settled();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

const POLICIES: Record<string, FallbackPolicy> = { closed: "closed", open: "open", "a local share": localShare(3) };

describe.each(Object.entries(POLICIES))("a store with the fallback %s", (_name, policy) => {
  it.each(storeSuite((clock) => fallback(faultyStore(clock), policy)))("$name", async ({ check }) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

function scene(policy: FallbackPolicy, rate = "10/min") {
  const clock = manualClock();
  const faulty = faultyStore(clock);
  const onDegraded = vi.fn();
  const store = fallback(faulty, policy, { onDegraded });
  const limiter = createLimiter({ quota: rate, store });
  const direct = createLimiter({ quota: rate, store: faulty.memory });
  /** The store answers again, and has heard of what happened meanwhile. */
  const recover = async () => {
    faulty.health = "up";
    await limiter.peek("somebody else");
    await settled();
  };
  return { clock, faulty, store, limiter, direct, onDegraded, recover };
}

const unavailable = (retryAfterMs: number) => new StoreUnavailableError(retryAfterMs);

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

describe("a local share", () => {
  it("decides with a share of the limit, and never says that what the whole limit allows is impossible", async () => {
    const { clock, faulty, limiter } = scene(localShare(3), "10/min");
    faulty.health = "down";
    expect(await limiter.consume("k")).toMatchObject({ allowed: true, limit: 10, remaining: 2, degraded: true });
    expect(await limiter.peek("k", 2)).toMatchObject({ allowed: true, degraded: true });
    expect(await limiter.consume("k", 5)).toMatchObject({ allowed: false, remaining: 2, retryAfterMs: 1000 });
    expect(await limiter.consume("k", 11)).toMatchObject({ allowed: false, retryAfterMs: Infinity });
    await limiter.consume("k", 2);
    expect(await limiter.consume("k")).toMatchObject({
      allowed: false,
      remaining: 0,
      retryAfterMs: 1000,
      degraded: true,
    });
    await clock.advance(59_900);
    expect(await limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: 100 });
  });

  it("keeps its share from one outage to the next", async () => {
    const { faulty, limiter, recover } = scene(localShare(2), "4/min");
    faulty.health = "down";
    await limiter.consume("k", 2);
    await recover();
    faulty.health = "down";
    expect(await limiter.consume("k")).toMatchObject({ allowed: false });
  });

  it("tells the store what was used, once", async () => {
    const { faulty, limiter, direct, recover } = scene(localShare(2), "10/min");
    await limiter.consume("k", 2);
    faulty.health = "down";
    await limiter.consume("k", 3);
    await limiter.consume("other", 1);
    expect(direct.peek("k", 0).remaining).toBe(8);
    await recover();
    expect(direct.peek("k", 0).remaining).toBe(5);
    expect(direct.peek("other", 0).remaining).toBe(9);
    await recover();
    expect(direct.peek("k", 0).remaining).toBe(5);
  });

  it("tells only what still counts", async () => {
    const { clock, faulty, limiter, direct, recover } = scene(localShare(2), "10/min");
    faulty.health = "down";
    await limiter.consume("k", 4);
    await clock.advance(61_000);
    await limiter.consume("k", 1);
    await recover();
    expect(direct.peek("k", 0).remaining).toBe(9);
  });

  it("does not tell again what may have been charged, and says so", async () => {
    const { faulty, store, limiter, direct, recover } = scene(localShare(2), "10/min");
    faulty.health = "down";
    await limiter.consume("k", 3);
    faulty.health = "up";
    const answered = limiter.peek("somebody else");
    await answered;
    expect(faulty.asked.at(-1)?.options).toEqual({ mode: Mode.force });
    await settled();
    expect(direct.peek("k", 0).remaining).toBe(7);

    faulty.health = "down";
    await limiter.consume("k", 2);
    const { take } = faulty;
    faulty.take = async (...args) => {
      const taken = await take(...args);
      if (args[1]?.mode === Mode.force) throw new Error("lost");
      return taken;
    };
    await recover();
    faulty.take = take;
    await recover();
    expect(direct.peek("k", 0).remaining).toBe(5);
    expect(store.stats().unreported).toBe(2);
  });

  it("tells later what was certainly not charged", async () => {
    const { faulty, store, limiter, direct, recover } = scene(localShare(2), "10/min");
    faulty.health = "down";
    await limiter.consume("k", 3);
    const { take } = faulty;
    faulty.take = async (...args) => {
      if (args[1]?.mode === Mode.force) throw unavailable(1000);
      return take(...args);
    };
    await recover();
    faulty.take = take;
    await recover();
    expect(direct.peek("k", 0).remaining).toBe(7);
    expect(store.stats().unreported).toBe(0);
  });

  it("counts a call that was sent and not answered as charged by the store", async () => {
    const clock = manualClock();
    const faulty = faultyStore(clock);
    const limiter = createLimiter({ quota: "10/min", store: fallback(timeout(faulty), localShare(2)) });
    const direct = createLimiter({ quota: "10/min", store: faulty.memory });
    faulty.health = "hung";
    const decision = limiter.consume("k", 3);
    await clock.advance(50);
    expect(await decision).toMatchObject({ allowed: true, remaining: 2, degraded: true });
    faulty.health = "up";
    await limiter.peek("k");
    await settled();
    expect(direct.peek("k", 0).remaining).toBe(10);
  });

  it("keeps no more accounts than it was told, and says what it could not tell", async () => {
    const { faulty, store, limiter, recover } = scene(localShare(2, { maxKeys: 10 }), "10/min");
    faulty.health = "down";
    for (let i = 0; i < 30; i++) await limiter.consume(`k${i}`);
    await recover();
    expect(faulty.asked.filter(({ options }) => options?.mode === Mode.force)).toHaveLength(10);
    expect(store.stats().unreported).toBeGreaterThan(0);
  });

  it("frees nothing of the store with what was taken here, nor here with what the store took", async () => {
    const { faulty, limiter, direct, recover } = scene(localShare(2), "10/min");
    const ofStore = await limiter.reserve("k", 3);
    faulty.health = "down";
    const ofHere = await limiter.reserve("k", 2);
    await ofStore.release();
    expect(await limiter.peek("k", 0)).toMatchObject({ remaining: 3 });
    await recover();
    expect(direct.peek("k", 0).remaining).toBe(5);
    await ofHere.release();
    expect(direct.peek("k", 0).remaining).toBe(5);
    faulty.health = "down";
    expect(await limiter.peek("k", 0)).toMatchObject({ remaining: 5 });
  });

  it("does not tell of what was handed back before", async () => {
    const { faulty, limiter, direct, recover } = scene(localShare(2), "10/min");
    faulty.health = "down";
    const reservation = await limiter.reserve("k", 4);
    await reservation.commit(1);
    await recover();
    expect(direct.peek("k", 0).remaining).toBe(9);
  });

  it("charges the store for what settling costs beyond the reservation", async () => {
    const { faulty, limiter, direct, recover } = scene(localShare(2), "10/min");
    faulty.health = "down";
    const reservation = await limiter.reserve("k", 2);
    await recover();
    await reservation.commit(5);
    expect(direct.peek("k", 0).remaining).toBe(5);
  });

  it("hands the newest units back here only when the store cannot have done so", async () => {
    const { faulty, limiter } = scene(localShare(2), "10/min");
    faulty.health = "down";
    await limiter.consume("k", 4);
    await limiter.refund("k", 1);
    expect(await limiter.peek("k", 0)).toMatchObject({ remaining: 1 });
    faulty.error = unavailable(1000);
    await limiter.refund("k", 1);
    expect(await limiter.peek("k", 0)).toMatchObject({ remaining: 2 });
  });

  it("refuses what has no shares", async () => {
    const { share: _, ...whole } = Object.assign(
      Object.create(null),
      slidingWindow({ limit: 5, periodMs: 1000 }),
    ) as Algorithm;
    const source = slidingWindow({ limit: 5, periodMs: 1000 });
    const algorithm: Algorithm = { ...whole, apply: source.apply.bind(source), isFresh: source.isFresh.bind(source) };
    const faulty = faultyStore(manualClock());
    const store = fallback(faulty, localShare(2));
    const limiter = createLimiter({ quota: quota({ name: "mine", text: "5/s", periodMs: 1000, algorithm }), store });
    expect(await limiter.consume("k")).toMatchObject({ allowed: true, degraded: false });
    faulty.health = "down";
    expect(await limiter.consume("k")).toMatchObject({ allowed: false, degraded: true });
    expect(store.stats()).toMatchObject({ degraded: 1, closed: 1, localShare: 0 });
  });

  it.each([0, 1.5, Number.NaN])("has no share of %s processes", (processes) => {
    expect(() => localShare(processes)).toThrow(RangeError);
  });
});

it("allows no more than the limit to all processes during an outage, and tells all of it afterwards", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 5, max: 20 }),
      fc.array(
        fc.record({
          process: fc.nat(4),
          cost: fc.integer({ min: 1, max: 4 }),
          waitMs: fc.nat(300),
          turns: fc.nat(9),
        }),
        { minLength: 30, maxLength: 150 },
      ),
      async (n, limit, calls) => {
        const clock = manualClock();
        const faulty = faultyStore(clock);
        const rate = `${limit}/min`;
        const limiters = Array.from({ length: n }, () =>
          createLimiter({ quota: rate, store: fallback(faulty, localShare(n)) }),
        );
        let ofStore = 0;
        let ofShares = 0;
        for (const { process, cost, waitMs, turns } of calls) {
          await clock.advance(waitMs);
          if (turns === 0) faulty.health = faulty.health === "up" ? "down" : "up";
          const { allowed, degraded } = await limiters[process % n]!.consume("k", cost);
          expect(degraded).toBe(faulty.health === "down");
          if (allowed && degraded) ofShares += cost;
          if (allowed && !degraded) ofStore += cost;
        }
        expect(ofShares).toBeLessThanOrEqual(limit);
        faulty.health = "up";
        for (const limiter of limiters) await limiter.peek("k");
        await settled();
        const { remaining } = createLimiter({ quota: rate, store: faulty.memory }).peek("k", 0);
        expect(remaining).toBe(Math.max(0, limit - ofStore - ofShares));
      },
    ),
    { numRuns: 60 },
  );
});

describe("places", () => {
  function places(policy: FallbackPolicy, limit = 4) {
    const clock = manualClock();
    const faulty = faultyStore(clock);
    const store = fallback(faulty, policy);
    const options = { limit, leaseMs: 60_000 };
    const slots = createConcurrencyLimiter({ ...options, store });
    const direct = createConcurrencyLimiter({ ...options, store: faulty.memory });
    const free = () => direct.peek("k").remaining + (direct.peek("k").allowed ? 1 : 0);
    return { clock, faulty, slots, free };
  }

  it.each(Object.entries(POLICIES))(
    "stay held through an outage, and are given back after it: %s",
    async (_name, policy) => {
      const { faulty, slots, free } = places(policy);
      const lease = await slots.acquire("k");
      expect(free()).toBe(3);
      faulty.health = "down";
      expect(await lease.renew()).toBe(true);
      await lease.release();
      expect(free()).toBe(3);
      faulty.health = "up";
      await slots.peek("other");
      await settled();
      expect(free()).toBe(4);
    },
  );

  it("are taken of a share in an outage, and move to the store when it is back", async () => {
    const { faulty, slots, free } = places(localShare(2));
    faulty.health = "down";
    const [one, two, none] = await Promise.all([slots.acquire("k"), slots.acquire("k"), slots.acquire("k")]);
    expect(one!.decision).toMatchObject({ allowed: true, degraded: true });
    expect(two!.decision.allowed).toBe(true);
    expect(none!.decision).toMatchObject({ allowed: false, degraded: true });
    expect(await one!.renew()).toBe(true);
    await two!.release();
    faulty.health = "up";
    await slots.peek("other");
    await settled();
    expect(free()).toBe(4);
    expect(await one!.renew()).toBe(true);
    expect(free()).toBe(3);
    await one!.release();
    expect(free()).toBe(4);
    faulty.health = "down";
    const again = await Promise.all([slots.acquire("k"), slots.acquire("k")]);
    expect(again.map(({ decision }) => decision.allowed)).toEqual([true, true]);
  });

  it("are lost to others when the store has none left for them", async () => {
    const { faulty, slots } = places(localShare(1), 1);
    faulty.health = "down";
    const here = await slots.acquire("k");
    faulty.health = "up";
    const there = await slots.acquire("k");
    expect(there.decision.allowed).toBe(true);
    expect(await here.renew()).toBe(false);
  });

  it("count against the share when the store granted them", async () => {
    const { faulty, slots } = places(localShare(2));
    const leases = await Promise.all([1, 2, 3].map(() => slots.acquire("k"))); // more than the share
    faulty.health = "down";
    for (const lease of leases) expect(await lease.renew()).toBe(true);
    expect((await slots.acquire("k")).decision.allowed).toBe(false);
  });

  it("are given back when the store granted what the caller was refused", async () => {
    const { faulty, slots, free } = places("closed");
    faulty.health = "deaf";
    expect((await slots.acquire("k")).decision.allowed).toBe(false);
    expect(free()).toBe(3);
    faulty.health = "up";
    await slots.peek("other");
    await settled();
    expect(free()).toBe(4);
  });

  it("wait to be given back while the store fails again", async () => {
    const { faulty, slots, free } = places("closed");
    const leases = await Promise.all([1, 2, 3].map(() => slots.acquire("k")));
    faulty.health = "down";
    for (const lease of leases) await lease.release();
    const { take } = faulty;
    faulty.take = async (...args) => {
      if (args[1]?.mode === Mode.force) throw new Error("once more");
      return take(...args);
    };
    faulty.health = "up";
    await slots.peek("other");
    await settled();
    expect(free()).toBe(1);
    faulty.take = take;
    await slots.peek("other");
    await settled();
    expect(free()).toBe(4);
  });

  it("run tasks through an outage", async () => {
    const { clock, faulty, slots, free } = places("closed");
    let end = () => {};
    const run = slots.run("k", () => new Promise<void>((resolve) => (end = resolve)));
    await clock.advance(1000);
    faulty.health = "down";
    await clock.advance(50_000);
    faulty.health = "up";
    await clock.advance(30_000);
    expect(free()).toBe(3);
    end();
    await run;
    expect(free()).toBe(4);
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
