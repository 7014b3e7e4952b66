import { median, medianRatio } from "../statistics.ts";
import { startWorker, type Worker } from "../worker.ts";
import { type ContenderName, contenders } from "./contenders.ts";
import type { Outcome } from "./outcomes.ts";
import { type SceneName, scenes } from "./scenes.ts";

export interface DecisionFigures {
  /** CPU time per check in nanoseconds. */
  readonly ns: number;
  /** The same, divided by that of the bare GCRA that allows, turn by turn. */
  readonly ratio: number;
  /** The same, divided by what this contender takes to allow, turn by turn. */
  readonly toAllowed: number;
}

export type DecisionResults = Partial<
  Record<SceneName, Partial<Record<ContenderName, Partial<Record<Outcome, DecisionFigures>>>>>
>;

const TURNS = 7;
const runners = (Object.keys(contenders) as ContenderName[]).flatMap((name) =>
  (["allowed", "refused"] as const).map((outcome) => ({ name, outcome })),
);
const idOf = (name: ContenderName, outcome: Outcome) => `${name}, ${outcome}`;

/** CPU time per decision, for all contenders in all scenes. */
export async function decisions(rounds: number): Promise<DecisionResults> {
  const results: DecisionResults = {};
  for (const scene of Object.keys(scenes) as SceneName[]) {
    const all: Record<string, DecisionFigures>[] = [];
    for (let i = 0; i < rounds; i++) all.push(await round(scene));
    results[scene] = {};
    for (const { name, outcome } of runners) {
      const figures = all.map((one) => one[idOf(name, outcome)]!);
      const middle = (of: keyof DecisionFigures) => median(figures.map((one) => one[of]));
      const entry = { ns: middle("ns"), ratio: middle("ratio"), toAllowed: middle("toAllowed") };
      results[scene][name] = { ...results[scene][name], [outcome]: entry };
      console.error(`${scene}: ${idOf(name, outcome)}: ${entry.ns.toFixed(0)} ns, ${entry.ratio.toFixed(2)} × bare`);
    }
  }
  return results;
}

/** Fresh processes for all, which then take turns of some 50 ms: all of them feel whatever else the machine does. */
async function round(scene: SceneName): Promise<Record<string, DecisionFigures>> {
  const workers = new Map<string, Worker>();
  try {
    const script = new URL("contender-process.ts", import.meta.url);
    const started = await Promise.allSettled(
      runners.map(async ({ name, outcome }) => {
        workers.set(idOf(name, outcome), await startWorker(script, [name, scene, outcome]));
      }),
    );
    for (const one of started) if (one.status === "rejected") throw one.reason;
    const ns: Record<string, number[]> = {};
    for (let turn = 0; turn < TURNS; turn++) {
      for (const { name, outcome } of runners) {
        const id = idOf(name, outcome);
        ns[id] ??= [];
        ns[id].push(await workers.get(id)!.ask("batch"));
      }
    }
    const entries = runners.map(async ({ name, outcome }) => {
      const id = idOf(name, outcome);
      await expectShare(id, workers.get(id)!, outcome);
      const figures = {
        ns: median(ns[id]!),
        ratio: medianRatio(ns[id]!, ns[idOf("bare GCRA", "allowed")]!),
        toAllowed: medianRatio(ns[id]!, ns[idOf(name, "allowed")]!),
      };
      return [id, figures] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  } finally {
    for (const worker of workers.values()) worker.end();
  }
}

/** A contender that allows what it should refuse would be fast for the wrong reason. */
async function expectShare(id: string, worker: Worker, outcome: Outcome): Promise<void> {
  const share = await worker.ask<number>("share");
  if (share !== (outcome === "allowed" ? 1 : 0)) throw new Error(`${id}: ${share * 100} % of the checks were allowed.`);
}
