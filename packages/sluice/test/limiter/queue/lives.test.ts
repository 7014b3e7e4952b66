import { expect, it } from "vitest";
import { judged, scenarios } from "./scenarios.ts";

it.each(scenarios)(
  "$name",
  async (scenario) => {
    const seen = new Set<string>();
    const first = Math.floor(Math.random() * 2 ** 31);
    for (let seed = first; seed < first + scenario.lives; seed++) {
      const life = await judged(scenario, seed);
      expect(life.wrong, `seed ${seed}`).toBeUndefined();
      for (const what of Object.keys(life.seen)) seen.add(what);
    }
    expect([...seen]).toEqual(expect.arrayContaining([...scenario.sees]));
  },
  120_000,
);

it("repeats a life by its seed", async () => {
  expect(await judged(scenarios.at(-1)!, 7)).toEqual(await judged(scenarios.at(-1)!, 7));
});
