import { median, medianRatio } from "../statistics.ts";
import { startWorker, type Worker } from "../worker.ts";
import type { Who } from "./observers-process.ts";

/** CPU time per call in microseconds, by who listens. */
export interface ObserverFigures extends Record<Who, number> {
  /** Nobody listens to these calls, but to others of the process, × nobody listens at all. */
  readonly ratio: number;
  /** With metrics, × without. */
  readonly watched: number;
}

export interface ObserverResults {
  readonly decisions: ObserverFigures;
  readonly "calls out": ObserverFigures;
}

const WHO: readonly Who[] = ["nobody", "others", "metrics"];
/** What takes some 50 ms. */
const CALLS = { decisions: 20_000, "calls out": 120_000 };
const TURNS = 15;

/** What listeners cost, and what they cost those to whom nobody listens. */
export async function observers(rounds: number): Promise<ObserverResults> {
  const found = { decisions: [] as ObserverFigures[], "calls out": [] as ObserverFigures[] };
  for (let i = 0; i < rounds; i++) {
    for (const what of ["decisions", "calls out"] as const) found[what].push(await round(what));
  }
  const middle = (figures: readonly ObserverFigures[]): ObserverFigures => {
    const of = (key: keyof ObserverFigures) => median(figures.map((one) => one[key]));
    return {
      nobody: of("nobody"),
      others: of("others"),
      metrics: of("metrics"),
      ratio: of("ratio"),
      watched: of("watched"),
    };
  };
  const results = { decisions: middle(found.decisions), "calls out": middle(found["calls out"]) };
  console.error(JSON.stringify(results, undefined, 2));
  return results;
}

/** Fresh processes, which take turns of some 50 ms. */
async function round(what: keyof ObserverResults): Promise<ObserverFigures> {
  const workers = new Map<Who, Worker>();
  const us = { nobody: [] as number[], others: [] as number[], metrics: [] as number[] };
  try {
    const script = new URL("observers-process.ts", import.meta.url);
    for (const who of WHO) workers.set(who, await startWorker(script, [who]));
    for (const worker of workers.values()) await worker.ask({ what, calls: 3 * CALLS[what] });
    for (let turn = 0; turn < TURNS; turn++) {
      for (const who of WHO) us[who].push(await workers.get(who)!.ask({ what, calls: CALLS[what] }));
    }
  } finally {
    for (const worker of workers.values()) worker.end();
  }
  return {
    nobody: median(us.nobody),
    others: median(us.others),
    metrics: median(us.metrics),
    ratio: medianRatio(us.others, us.nobody),
    watched: medianRatio(us.metrics, us.nobody),
  };
}
