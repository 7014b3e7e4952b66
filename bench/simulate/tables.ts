import { markdownTable } from "../markdown-table.ts";
import type { SimulateResults } from "./suite.ts";

/** What a replay costs. */
export function simulateTables({ bare, scenes }: SimulateResults): string {
  const perSecond = (us: number) => `${(1 / us).toFixed(1)} M`;
  const rows = Object.entries(scenes).map(([name, { us, ratio }]) => [
    name,
    us.toFixed(2),
    perSecond(us),
    ratio.toFixed(1),
  ]);
  return markdownTable(
    ["sluice simulate", "CPU µs per call", "calls per second and core", "× a bare GCRA"],
    [["a bare GCRA", bare.toFixed(2), perSecond(bare), "1"], ...rows],
  );
}
