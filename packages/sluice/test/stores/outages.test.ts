import fc from "fast-check";
import {
  createConcurrencyLimiter,
  createLimiter,
  type FallbackPolicy,
  fallback,
  type Lease,
  localShare,
  rememberRefusals,
  timeout,
} from "sluice";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { settled } from "../limiter/held-store.ts";
import { faultyStore } from "./faulty-store.ts";

const unhandled = vi.fn();
beforeEach(() => void process.on("unhandledRejection", unhandled));
afterEach(async () => {
  await settled();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

const LIMIT = 6;
const PLACES = 4;

const step = fc.record({
  health: fc.constantFrom(undefined, undefined, undefined, undefined, "up", "up", "down", "hung", "deaf"),
  what: fc.constantFrom("consume", "acquire", "release", "renew", "settle", "hammer"),
  cost: fc.integer({ min: 1, max: 3 }),
  waitMs: fc.constantFrom(0, 1, 20, 300, 2000),
});

it.each<[string, FallbackPolicy]>([
  ["closed", "closed"],
  ["a local share", localShare(2)],
])(
  "whatever becomes of the store, all calls are answered in time, limits hold and no place is leaked: %s",
  async (_name, policy) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
        const clock = manualClock();
        const faulty = faultyStore(clock);
        const store = fallback(rememberRefusals(timeout(faulty)), policy);
        const rates = createLimiter({ quota: `${LIMIT}/h`, store });
        const options = { limit: PLACES, leaseMs: 3_600_000 };
        const places = createConcurrencyLimiter({ ...options, store });
        const free = () => createConcurrencyLimiter({ ...options, store: faulty.memory }).peek("k").remaining;
        const held: Lease<"async">[] = [];
        const used = { store: 0, share: 0 };

        /** The answer, within the time budget. */
        const inTime = async <T>(call: Promise<T>): Promise<T> => {
          let isDone = false;
          const done = call.finally(() => {
            isDone = true;
          });
          await settled();
          if (!isDone) await clock.advance(50);
          await settled();
          expect(isDone).toBe(true);
          return done;
        };
        const consume = async (cost: number) => {
          const { allowed, degraded } = await inTime(rates.consume("k", cost));
          if (allowed) used[degraded ? "share" : "store"] += cost;
        };

        for (const { health, what, cost, waitMs } of steps) {
          faulty.health = health ?? faulty.health;
          await clock.advance(waitMs);
          if (what === "consume") await consume(cost);
          if (what === "hammer") for (let i = 0; i < 4; i++) await consume(1);
          if (what === "acquire") {
            const lease = await inTime(places.acquire("k"));
            if (lease.decision.allowed) held.push(lease);
          }
          if (what === "release") await inTime(held.shift()?.release() ?? Promise.resolve());
          if (what === "renew") for (const lease of held) await inTime(Promise.resolve(lease.renew()));
          if (what === "settle") {
            const reservation = await inTime(rates.reserve("k", 1));
            await inTime(Promise.resolve(reservation.release()));
          }
        }
        expect(used.store).toBeLessThanOrEqual(LIMIT);
        expect(used.share).toBeLessThanOrEqual(policy === "closed" ? 0 : LIMIT / 2);

        faulty.health = "up";
        await clock.advance(10_000);
        for (const lease of held) await inTime(Promise.resolve(lease.release()));
        for (let i = 0; i < 3; i++) await inTime(rates.peek("k"));
        expect(await inTime(rates.peek("k", 0))).toMatchObject({ degraded: false });
        expect(free()).toBe(PLACES - 1);
      }),
      { numRuns: 30 },
    );
  },
);
