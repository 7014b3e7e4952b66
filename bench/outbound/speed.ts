import { median, medianRatio } from "../statistics.ts";
import { startWorker, type Worker } from "../worker.ts";
import type { ContenderName } from "./contenders.ts";
import type { Question } from "./speed-process.ts";

export interface CallFigures {
  readonly perSecond: number;
  /** Time per call, × that of a bare call, turn by turn. */
  readonly toBare: number;
}

export interface SpeedResults {
  readonly calls: Record<SceneName, Partial<Record<ContenderName, CallFigures>>>;
  /** Bytes of a call that waits. */
  readonly bytes: Partial<Record<ContenderName, number>>;
  /** Milliseconds for 100,000 of them. */
  readonly cancels: Partial<Record<ContenderName, number>>;
}

const SCENES = {
  "100,000 at once": { kind: "atOnce", calls: 100_000 },
  "1 M at once": { kind: "atOnce", calls: 1_000_000 },
  "one after another": { kind: "inTurn", calls: 100_000 },
} as const satisfies Record<string, Question>;

type SceneName = keyof typeof SCENES;

const NAMES = [
  "a bare call",
  "a bare call, followed to its end",
  "sluice",
  "p-queue",
  "p-throttle",
  "limiter, RateLimiter",
  "bottleneck, reservoir",
] as const satisfies readonly ContenderName[];
type Name = (typeof NAMES)[number];

/** It makes some 400 calls in a second, whatever it is asked. */
const SLOW: Partial<Record<Name, number>> = { "bottleneck, reservoir": 200 };
const WAITING = {
  sluice: 1_000_000,
  "p-queue": 100_000,
  "p-throttle": 100_000,
  "limiter, RateLimiter": 100_000,
  "bottleneck, reservoir": 100_000,
} satisfies Partial<Record<ContenderName, number>>;
const CANCELS = 100_000;
const WARM_UP = 100_000;
const TURNS = 3;

const script = new URL("speed-process.ts", import.meta.url);
const start = (name: ContenderName) => startWorker(script, [name], ["--expose-gc", "--max-old-space-size=4096"]);

/** What it costs when no limit binds, and what calls cost that wait. */
export async function speed(rounds: number): Promise<SpeedResults> {
  const calls = {} as SpeedResults["calls"];
  for (const scene of Object.keys(SCENES) as SceneName[]) calls[scene] = await madeCalls(scene, rounds);
  const waiting = Object.keys(WAITING) as (keyof typeof WAITING)[];
  const bytes = await each(waiting, 1, (name) => ({ kind: "bytes", calls: WAITING[name] }));
  const cancels = await each(["sluice", "p-queue"], 3, () => ({ kind: "cancels", calls: CANCELS }));
  return { calls, bytes, cancels };
}

/** One question to each, in a process of its own; the middle one of so many answers. One has its turn after the other. */
async function each<N extends ContenderName>(
  names: readonly N[],
  times: number,
  question: (name: N) => Question,
): Promise<Partial<Record<N, number>>> {
  const found: Partial<Record<N, number>> = {};
  for (const name of names) {
    const worker = await start(name);
    try {
      const answers: number[] = [];
      for (let i = 0; i < times; i++) answers.push(await worker.ask<number>(question(name)));
      found[name] = median(answers);
      console.error(`${name}: ${question(name).kind}: ${found[name]?.toFixed(0)}`);
    } finally {
      worker.end();
    }
  }
  return found;
}

async function madeCalls(scene: SceneName, rounds: number): Promise<Partial<Record<Name, CallFigures>>> {
  const all: Map<Name, CallFigures>[] = [];
  for (let round = 0; round < rounds; round++) all.push(await turns(scene));
  return Object.fromEntries(
    NAMES.map((name) => {
      const middle = (of: keyof CallFigures) => median(all.map((one) => one.get(name)![of]));
      const figures = { perSecond: middle("perSecond"), toBare: middle("toBare") };
      console.error(`${scene}: ${name}: ${figures.perSecond.toFixed(0)}/s, ${figures.toBare.toFixed(2)} × a bare call`);
      return [name, figures];
    }),
  );
}

/** Fresh processes for all, which make their calls in turn. */
async function turns(scene: SceneName): Promise<Map<Name, CallFigures>> {
  const workers = new Map<Name, Worker>();
  try {
    for (const name of NAMES) workers.set(name, await start(name));
    const ms = new Map(NAMES.map((name) => [name, [] as number[]]));
    const { kind, calls: most } = SCENES[scene];
    const ask = (name: Name, calls: number) => workers.get(name)!.ask<number>({ kind, calls });
    const callsOf = (name: Name) => Math.min(most, SLOW[name] ?? most);
    for (const name of NAMES) await ask(name, Math.min(WARM_UP, callsOf(name)));
    for (let turn = 0; turn < TURNS; turn++) {
      for (const name of NAMES) ms.get(name)!.push((await ask(name, callsOf(name))) / callsOf(name));
    }
    return new Map(
      NAMES.map((name) => [
        name,
        { perSecond: 1000 / median(ms.get(name)!), toBare: medianRatio(ms.get(name)!, ms.get("a bare call")!) },
      ]),
    );
  } finally {
    for (const worker of workers.values()) worker.end();
  }
}
