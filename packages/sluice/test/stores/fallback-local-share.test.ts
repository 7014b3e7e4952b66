import fc from "fast-check";
import { type Algorithm, createLimiter, fallback, localShare, Mode, quota, slidingWindow, timeout } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { settled } from "../limiter/held-store.ts";
import { scene, unavailable } from "./fallback-scene.ts";
import { faultyStore } from "./faulty-store.ts";
import { expectNoUnhandledRejections } from "./unhandled-rejections.ts";

expectNoUnhandledRejections();

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
