import { startWorker, type Worker } from "../worker.ts";
import type { PatternFigures } from "./accuracy-process.ts";
import { type ContenderName, contenders } from "./contenders.ts";
import { type PatternName, patterns } from "./patterns.ts";

export type AccuracyResults = Partial<Record<ContenderName, Record<PatternName, PatternFigures>>>;

const names = (Object.keys(contenders) as ContenderName[]).filter((name) => !name.startsWith("a bare call"));

/** The worst of all rounds. Nobody works hard here, so all contenders run side by side. */
export async function accuracy(rounds: number): Promise<AccuracyResults> {
  const results: AccuracyResults = {};
  for (let round = 0; round < rounds; round++) {
    const workers = await started();
    try {
      for (const pattern of Object.keys(patterns) as PatternName[]) {
        await Promise.all(
          [...workers].map(async ([name, worker]) => {
            const found = await worker.ask<PatternFigures>(pattern);
            results[name] = { ...results[name]!, [pattern]: worse(found, results[name]?.[pattern]) };
          }),
        );
      }
    } finally {
      for (const worker of workers.values()) worker.end();
    }
  }
  return Object.fromEntries(names.map((name) => [name, reported(name, results[name]!)]));
}

function reported(
  name: ContenderName,
  found: Record<PatternName, PatternFigures>,
): Record<PatternName, PatternFigures> {
  const figures = Object.entries(found).map(
    ([pattern, { starts, arrivals, toIdeal }]) => `${pattern} ${starts}/${arrivals} ${toIdeal.toFixed(3)} ×`,
  );
  console.error(`${name}: starts/arrivals: ${figures.join(", ")}`);
  return found;
}

async function started(): Promise<Map<ContenderName, Worker>> {
  const script = new URL("accuracy-process.ts", import.meta.url);
  return new Map(await Promise.all(names.map(async (name) => [name, await startWorker(script, [name])] as const)));
}

function worse(one: PatternFigures, other: PatternFigures = one): PatternFigures {
  const most = (of: keyof PatternFigures) => Math.max(one[of], other[of]);
  return {
    starts: most("starts"),
    startsAlmost: most("startsAlmost"),
    arrivals: most("arrivals"),
    toIdeal: most("toIdeal"),
  };
}
