import * as library from "sluice";
import { it } from "vitest";
import { scenarios } from "./scenarios.ts";
it("soaks", async () => {
  const end = Date.now() + 100_000; let runs = 0;
  for (let seed = 1000; Date.now() < end; seed++) for (const s of scenarios.filter((s) => s.seeds > 1)) { runs++; const { wrong } = await s.check(library, seed); if (wrong) console.log("WRONG", s.name, seed, wrong); }
  console.log("RUNS", runs);
}, 200_000);
