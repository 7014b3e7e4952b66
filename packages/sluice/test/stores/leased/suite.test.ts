import { createLimiter, isSync, leased, memoryStore, type Store } from "sluice";
import { type ManualClock, manualClock, storeSuite } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { seeded } from "../../algorithms/subjects.ts";
import { newPath, openStore } from "../sqlite/files.ts";

/** Stores that two leased stores can share, as two processes do. */
const shared: Record<string, (clock: ManualClock) => readonly Store[]> = {
  "one memory store": (clock) => {
    const memory = memoryStore({ clock });
    return [memory, memory];
  },
  "one SQLite file": (clock) => {
    const path = newPath();
    return [1, 2].map(() => openStore({ path, clock }));
  },
};

describe.each(Object.entries(shared))("two leased stores over %s", (_name, open) => {
  const openBoth = (clock: ManualClock) => open(clock).map((store) => leased(store, { clock }));

  // Units in hand are not at the store: only a store without leases answers as decide does, call by call.
  const suite = storeSuite((clock) => {
    const [first, second] = openBoth(clock);
    let calls = 0;
    return {
      take: (...args) => (calls++ % 2 === 0 ? first! : second!).take(...args),
      forget: (accounts) => first!.forget(accounts),
      close: async () => {
        await first!.close();
        await second!.close();
      },
    };
  }).filter(({ name }) => name !== "answers as decide does");
  it.each(suite)("$name", async ({ check }) => {
    for (let seed = 0; seed < 3; seed++) await check(seeded(seed));
  });

  it("allow exactly the limit to calls at once, in shares", async () => {
    const clock = manualClock();
    const stores = openBoth(clock);
    const limiters = stores.map((store) => createLimiter({ quota: "1000/10s", store }));
    const answers = await Promise.all(
      Array.from({ length: 3_000 }, async (_, i) => {
        if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
        return limiters[i % 2]!.consume("k");
      }),
    );
    const [first, second] = stores.map((store) => store.stats());
    const inHand = first!.held + second!.held;
    expect(answers.filter(({ allowed }) => allowed).length).toBeGreaterThanOrEqual(1000 - inHand);
    expect(first!.used + second!.used).toBe(answers.filter(({ allowed }) => allowed).length);
    expect(first!.granted + second!.granted).toBeLessThanOrEqual(1000);
    expect(first!.storeCalls + second!.storeCalls).toBeLessThan(300);
    for (const store of stores) await store.close();
  });
});

it("is not a store that always answers at once, whatever is below it", () => {
  expect(isSync(leased(memoryStore()))).toBe(false);
});

it("says what is wrong with its numbers", () => {
  expect(() => leased(memoryStore(), { leaseMs: 0 })).toThrow(RangeError);
  expect(() => leased(memoryStore(), { maxKeys: 0.5 })).toThrow("maxKeys");
});
