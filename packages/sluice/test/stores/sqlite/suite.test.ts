import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { type ManualClock, storeSuite } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { seeded } from "../../algorithms/subjects.ts";
import { likeBetterSqlite, newPath, openStore } from "./files.ts";

/** Elapsed time of this store is that of the wall. With one clock for both, even receipts must be the same. */
function oneTime(clock: ManualClock): ManualClock {
  clock.elapsed = clock.wall;
  return clock;
}

const opens = {
  "a file": (clock: ManualClock) => openStore({ path: newPath(), clock: oneTime(clock) }),
  "a node:sqlite handle": (clock: ManualClock) =>
    openStore({ database: new DatabaseSync(":memory:"), clock: oneTime(clock) }),
  "a handle shaped like better-sqlite3's": (clock: ManualClock) =>
    openStore({ database: likeBetterSqlite(newPath()), clock: oneTime(clock) }),
};

describe.each(Object.entries(opens))("the SQLite store over %s", (_name, open) => {
  it.each(storeSuite(open))("$name", async ({ check }) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

it("finds a store out whose second process has its own idea of a state", async () => {
  const [suite] = storeSuite((clock) => {
    const path = newPath();
    const [first, second] = [1, 2].map((n) => openStore({ path: `${path}${n}`, clock: oneTime(clock) }));
    let calls = 0;
    return { ...first!, take: (...args) => (calls++ % 2 === 0 ? first! : second!).take(...args) };
  });
  await expect(suite!.check(seeded(1))).rejects.toThrow("but decide says");
});

it("is one store for two that share a file", async () => {
  const suite = storeSuite((clock) => {
    const path = newPath();
    const [first, second] = [1, 2].map(() => openStore({ path, clock: oneTime(clock) }));
    let calls = 0;
    return { ...first!, take: (...args) => (calls++ % 2 === 0 ? first! : second!).take(...args) };
  });
  for (const { check } of suite) for (let seed = 0; seed < 10; seed++) await check(seeded(seed));
});
