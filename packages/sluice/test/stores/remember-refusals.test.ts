import fc from "fast-check";
import {
  type Awaitable,
  createConcurrencyLimiter,
  createLimiter,
  type Decision,
  fallback,
  type Limiter,
  memoryStore,
  perMinute,
  rememberRefusals,
  type Timing,
  timeout,
} from "sluice";
import { manualClock, storeSuite } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { seeded } from "../algorithms/subjects.ts";
import { heldStore, settled } from "../limiter/held-store.ts";
import { faultyStore } from "./faulty-store.ts";

const unhandled = vi.fn();
beforeEach(() => void process.on("unhandledRejection", unhandled));
afterEach(async () => {
  await settled();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

const stores = {
  "a store": faultyStore,
  "a store that answers at once": (clock: ReturnType<typeof manualClock>) => memoryStore({ clock }),
  "a store with a timeout, under a fallback": (clock: ReturnType<typeof manualClock>) => timeout(faultyStore(clock)),
};

describe.each(Object.entries(stores))("remembered refusals of %s", (name, open) => {
  const whole = (clock: ReturnType<typeof manualClock>) => {
    const remembering = rememberRefusals(open(clock), { maxMs: 5000 });
    return name.includes("fallback") ? fallback(remembering, "closed") : remembering;
  };
  it.each(storeSuite(whole, { isRemembering: true }))("$name", async ({ check }) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
      { numRuns: 60, endOnFailure: true },
    );
  });
});

it("is found out by the suite when it answers from memory what has changed", async () => {
  const suite = storeSuite(
    (clock) => {
      const memory = memoryStore({ clock });
      const remembering = rememberRefusals(faultyStore(clock));
      let calls = 0;
      return { ...remembering, take: (...args) => (calls++ % 2 === 0 ? memory : remembering).take(...args) };
    },
    { isRemembering: true },
  );
  await expect(suite[0]!.check(seeded(1))).rejects.toThrow("but decide says");
});

function scene(quota: string, options?: Parameters<typeof rememberRefusals>[1]) {
  const clock = manualClock();
  const faulty = faultyStore(clock);
  const store = rememberRefusals(faulty, options);
  const limiter = createLimiter({ quota, store });
  const asked = () => faulty.asked.splice(0).length;
  return { clock, faulty, store, limiter, asked };
}

it("asks once about a call that is refused time and again, and tells the exact time", async () => {
  const { clock, limiter, asked } = scene("2/s");
  await limiter.consume("k", 2);
  expect(await limiter.consume("k")).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 1000 });
  expect(asked()).toBe(2);
  await clock.advance(300);
  expect(await limiter.consume("k")).toMatchObject({
    allowed: false,
    remaining: 0,
    retryAfterMs: 700,
    resetAfterMs: 700,
  });
  await clock.advance(699.5);
  expect(await limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: 1 });
  expect(asked()).toBe(0);
  await clock.advance(0.5);
  expect(await limiter.consume("k")).toMatchObject({ allowed: true });
  expect(asked()).toBe(1);
});

it("believes a refusal for no longer than maxMs", async () => {
  const { clock, faulty, limiter, asked } = scene("1/min");
  await limiter.consume("k");
  await limiter.consume("k");
  await createLimiter({ quota: "1/min", store: faulty.memory }).reset("k");
  await clock.advance(999);
  expect((await limiter.consume("k")).allowed).toBe(false);
  expect(asked()).toBe(2);
  await clock.advance(1);
  expect((await limiter.consume("k")).allowed).toBe(true);
});

it("remembers by cost, and only where the next unit is the one that is missing", async () => {
  const { limiter, asked } = scene("5/s");
  await limiter.consume("k", 3);
  asked();
  for (let i = 0; i < 3; i++) expect(await limiter.consume("k", 3)).toMatchObject({ allowed: false, remaining: 2 });
  expect(asked()).toBe(1);
  for (let i = 0; i < 3; i++) expect(await limiter.consume("k", 4)).toMatchObject({ allowed: false, remaining: 2 });
  expect(asked()).toBe(3);
  expect(await limiter.consume("k", 1)).toMatchObject({ allowed: true, remaining: 1 });
  expect(await limiter.consume("k", 3)).toMatchObject({ allowed: false, remaining: 1 });
});

it.each<[string, (limiter: Limiter<"async">) => Promise<unknown>]>([
  ["a refund", (limiter) => limiter.refund("k")],
  ["a reset", (limiter) => limiter.reset("k")],
  ["a block", (limiter) => limiter.block("k", 100_000)],
])("forgets after %s", async (_name, change) => {
  const { faulty, limiter } = scene("1/min");
  const direct = createLimiter({ quota: "1/min", store: faulty.memory });
  await limiter.consume("k");
  await limiter.consume("k");
  await change(limiter);
  expect((await limiter.peek("k")).allowed).toBe(direct.peek("k").allowed);
  const expected = direct.peek("k");
  expect(await limiter.consume("k")).toMatchObject({ allowed: expected.allowed, quota: expected.quota });
});

it("forgets when a reservation is settled for more than was left", async () => {
  const { limiter } = scene("4/min");
  const reservation = await limiter.reserve("k", 2);
  expect((await limiter.consume("k", 3)).remaining).toBe(2);
  await reservation.commit(3);
  expect((await limiter.consume("k", 3)).remaining).toBe(1);
});

it("does not remember a refusal that a change overtook", async () => {
  const clock = manualClock();
  const held = heldStore(clock);
  const limiter = createLimiter({ quota: "1/min", store: rememberRefusals(held) });
  const first = limiter.consume("k");
  await held.answer();
  await first;
  const refused = limiter.consume("k");
  const tell = held.decideOnly();
  const refund = limiter.refund("k");
  await held.answer();
  await refund;
  await tell();
  expect((await refused).allowed).toBe(false);
  const again = limiter.consume("k");
  expect(held.asked).toBe(1);
  await held.answer();
  expect((await again).allowed).toBe(true);
});

it("keeps the refusal of one client when others use what they share, and reports that as it is", async () => {
  const clock = manualClock();
  const faulty = faultyStore(clock);
  const store = rememberRefusals(faulty);
  const limiter = createLimiter({ quota: perMinute(3), store });
  await limiter.consume(["user-1", "all"], 1);
  const shared = createLimiter({ quota: perMinute(5), name: "shared", store });
  const own = createLimiter({ quota: perMinute(1), name: "own", store });
  const call = (user: string) =>
    Promise.resolve(store.take([...own.claims(user), ...shared.claims("all")].map(({ demand }) => demand)));
  await call("a");
  expect((await call("a"))[0]!.allowed).toBe(false);
  await call("b");
  faulty.asked.length = 0;
  const taken = await call("a");
  expect(faulty.asked).toHaveLength(0);
  expect(taken.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
    [false, 0],
    [true, 0],
    [true, 3],
    [true, 0],
  ]);
  for (const user of ["c", "d", "e"]) await call(user);
  const full = await call("a");
  expect(full.map(({ allowed }) => allowed)).toEqual([false, true, false, true]);
});

it("always asks for places: they come back at any time, and to take one again is to renew it", async () => {
  const clock = manualClock();
  const faulty = faultyStore(clock);
  const store = rememberRefusals(faulty);
  const slots = createConcurrencyLimiter({ limit: 1, store });
  const there = createConcurrencyLimiter({ limit: 1, store: faulty.memory });
  const lease = there.acquire("k");
  expect((await slots.acquire("k")).decision.allowed).toBe(false);
  lease.release();
  const mine = await slots.acquire("k");
  expect(mine.decision.allowed).toBe(true);
  expect((await slots.acquire("k")).decision.allowed).toBe(false);
  expect(await mine.renew()).toBe(true);
});

it("remembers maxKeys refusals, and forgets the oldest", async () => {
  const { limiter, asked } = scene("1/min", { maxKeys: 2 });
  for (const key of ["a", "b", "c"]) {
    await limiter.consume(key);
    await limiter.consume(key);
  }
  asked();
  await limiter.consume("c");
  await limiter.consume("b");
  expect(asked()).toBe(0);
  await limiter.consume("a");
  expect(asked()).toBe(1);
});

it("passes errors on, and believes nothing of an account after one", async () => {
  const { faulty, limiter, asked } = scene("2/min");
  await limiter.consume("k", 1);
  await limiter.consume("k", 2);
  faulty.health = "deaf";
  await expect(limiter.consume("k")).rejects.toThrow("connection was lost");
  await expect(limiter.reset("other")).rejects.toThrow("connection was lost");
  faulty.health = "up";
  asked();
  expect(await limiter.consume("k", 2)).toMatchObject({ allowed: false, remaining: 0 });
  expect(asked()).toBe(1);
});

it.each([{ maxKeys: 0 }, { maxMs: 0 }, { maxMs: Number.NaN }])("refuses %o", (options) => {
  expect(() => rememberRefusals(memoryStore(), options)).toThrow(RangeError);
});

it("says what a limiter in memory says, whatever is done, and asks less", async () => {
  let calls = 0;
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          what: fc.constantFrom("consume", "consume", "consume", "consume", "refund", "reset", "block", "commit"),
          key: fc.constantFrom("a", "b"),
          cost: fc.constantFrom(1, 1, 1, 2, 3),
          waitMs: fc.constantFrom(0, 0, 1, 10, 50, 333),
        }),
        { minLength: 40, maxLength: 120 },
      ),
      async (steps) => {
        const clock = manualClock();
        const faulty = faultyStore(clock);
        const options = { quota: ["3/s", "5/2s"] };
        const one = createLimiter({ ...options, store: rememberRefusals(faulty, { maxMs: 400 }) });
        const other = createLimiter({ ...options, store: memoryStore({ clock }) });
        for (const { what, key, cost, waitMs } of steps) {
          clock.advanceSync(waitMs);
          const run = async (limiter: Limiter<Timing>): Promise<Decision | undefined> => {
            if (what === "consume") return limiter.consume(key, cost) as Awaitable<Decision>;
            if (what === "commit") await (await limiter.reserve(key, cost)).commit(cost - 1);
            else if (what === "block") await limiter.block(key, 5);
            else await limiter[what as "refund" | "reset"](key, cost);
            return undefined;
          };
          const before = faulty.asked.length;
          expect(await run(one as Limiter<Timing>)).toEqual(await run(other as Limiter<Timing>));
          if (what !== "consume") continue;
          calls++;
          asked += faulty.asked.length - before;
        }
      },
    ),
    { numRuns: 100 },
  );
  expect(asked).toBeLessThan(calls);
});

it("still refuses from memory while the store is out, and leaves the rest to the fallback", async () => {
  const clock = manualClock();
  const faulty = faultyStore(clock);
  const limiter = createLimiter({ quota: "1/min", store: fallback(rememberRefusals(timeout(faulty)), "open") });
  await limiter.consume("k");
  await limiter.consume("k");
  faulty.health = "down";
  expect(await limiter.consume("k")).toMatchObject({ allowed: false, degraded: false });
  expect(await limiter.consume("other")).toMatchObject({ allowed: true, degraded: true });
  await clock.advance(1000);
  expect(await limiter.consume("k")).toMatchObject({ allowed: true, degraded: true });
});
