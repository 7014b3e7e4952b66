import { median, medianRatio } from "../statistics.ts";
import { startWorker } from "../worker.ts";
import type { Turn } from "./replay-process.ts";

/** CPU time per call of a log, garbage collection included. */
export interface SimulateResults {
  /** A GCRA with one number per key, over the same calls in memory: the least that deciding can take. In microseconds. */
  readonly bare: number;
  readonly scenes: Record<Exclude<Turn, "bare">, { readonly us: number; readonly ratio: number }>;
}

const TURNS = 8;
const NAMES: readonly Exclude<Turn, "bare">[] = [
  "one quota",
  "one quota, half refused",
  "three quotas",
  "reading lines",
];

/** What a replay costs, and what reading the log does. */
export async function simulate(rounds: number): Promise<SimulateResults> {
  const us = new Map<Turn, number[]>();
  for (let round = 0; round < rounds; round++) {
    const worker = await startWorker(new URL("replay-process.ts", import.meta.url), []);
    try {
      for (let turn = 0; turn < TURNS; turn++) {
        for (const name of ["bare", ...NAMES] as const) {
          us.set(name, [...(us.get(name) ?? []), await worker.ask<number>(name)]);
        }
      }
    } finally {
      worker.end();
    }
  }
  const bare = us.get("bare")!;
  const figures = NAMES.map((name) => [name, { us: median(us.get(name)!), ratio: medianRatio(us.get(name)!, bare) }]);
  const results = { bare: median(bare), scenes: Object.fromEntries(figures) };
  console.error(JSON.stringify(results, undefined, 2));
  return results;
}
