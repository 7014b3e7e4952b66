import fc from "fast-check";
import { memoryStore, type Store, type Taken } from "sluice";
import { storeSuite } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { seeded } from "../algorithms/subjects.ts";

describe("memory store", () => {
  it.each(storeSuite((clock) => memoryStore({ clock })))("$name", async ({ check }) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
      { numRuns: 500, endOnFailure: true },
    );
  });
});

describe("a store that is wrong is found out", () => {
  const wrong: Record<string, (store: Store) => Partial<Store>> = {
    "takes from all or from none": (store) => ({
      take: (demands, options) => demands.flatMap((one) => store.take([one], options) as readonly Taken[]),
    }),
    "makes accounts as good as new": () => ({ forget: () => {} }),
    "keeps all keys and ledgers apart": (store) => ({
      take: (demands, options) =>
        store.take(
          demands.map((one) => ({ ...one, key: one.key.normalize() })),
          options,
        ),
    }),
    "allows exactly the limit to calls at once": () => ({ take: (demands) => memoryStore().take(demands) }),
    "answers as decide does": (store) => ({
      take: (demands, options) => {
        const taken = store.take(demands, options) as readonly Taken[];
        return taken.map((one) => ({ ...one, resetAfter: one.resetAfter + 1 }));
      },
    }),
  };

  it.each(storeSuite((clock) => memoryStore({ clock })))("$name", async ({ name }) => {
    const suite = storeSuite((clock) => {
      const store = memoryStore({ clock });
      return { ...store, ...wrong[name]!(store) };
    });
    await expect(suite.find((one) => one.name === name)!.check(seeded(1))).rejects.toThrow();
  });
});
