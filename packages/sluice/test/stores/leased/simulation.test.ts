import * as library from "sluice";
import { expect, it } from "vitest";
import { scenarios } from "./scenarios.ts";
import type { Faults } from "./world.ts";

it.each(scenarios)(
  "keeps its promise: $name",
  async ({ seeds, faults, check }) => {
    const seen = new Set<string>();
    const first = Math.floor(Math.random() * 2 ** 31);
    for (let seed = first; seed < first + seeds; seed++) {
      const run = await check(library, seed);
      expect(run.wrong, `seed ${seed}`).toBeUndefined();
      for (const [fault, count] of Object.entries(run.faults) as [keyof Faults, number][])
        if (count > 0) seen.add(fault);
    }
    expect([...seen]).toEqual(expect.arrayContaining([...faults]));
  },
  60_000,
);

it("repeats a run by its seed", async () => {
  const [first] = scenarios;
  expect(await first!.check(library, 7)).toEqual(await first!.check(library, 7));
});
