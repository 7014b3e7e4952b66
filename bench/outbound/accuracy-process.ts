/** One contender, as a process that has calls come in patterns and looks when it starts them. Argument: the contender. */
import { setTimeout as pause } from "node:timers/promises";
import { seeded } from "../../packages/sluice/test/algorithms/seeded.ts";
import { idealStarts, worstWindow } from "../../packages/sluice/test/outbound/oracle/windows.ts";
import { answerQuestions } from "../worker.ts";
import { type ContenderName, contenders } from "./contenders.ts";
import { type Pattern, type PatternName, patterns } from "./patterns.ts";

export interface PatternFigures {
  /** The most that started within one period. */
  readonly starts: number;
  /** The same, for a period that is 2 ms shorter: who is over only in `starts` has a clock of whole milliseconds. */
  readonly startsAlmost: number;
  /** The most that arrived at the server within one period. */
  readonly arrivals: number;
  /** Until the last start, × the shortest that the limit allows. */
  readonly toIdeal: number;
}

const STALL_MS = 400;
/** From the arrival at the server until its answer is here. */
const ANSWER_MS = 5;

const name = process.argv[2] as ContenderName;

async function play(pattern: Pattern): Promise<PatternFigures> {
  const { limit, periodMs, bursts, stallsMs = [], wayMs = 0 } = pattern;
  const caller = await contenders[name]({ limit, periodMs });
  const random = seeded(1);
  const came: number[] = [];
  const starts: number[] = [];
  const arrivals: number[] = [];
  const call = async () => {
    starts.push(performance.now());
    if (wayMs > 0) await pause(random() * wayMs);
    arrivals.push(performance.now());
    await pause(ANSWER_MS);
  };
  const stalls = stallsMs.map((atMs) => pause(atMs).then(stall));
  const all = bursts.map(async ([atMs, calls]) => {
    if (atMs > 0) await pause(atMs);
    const begun: Promise<void>[] = [];
    for (let i = 0; i < calls; i++) {
      came.push(performance.now());
      begun.push(caller.run(call));
    }
    await Promise.all(begun);
  });
  await Promise.all([...all, ...stalls]);
  const begin = came[0]!;
  const ideal = idealStarts(came, limit, periodMs).at(-1)! - begin;
  return {
    starts: worstWindow(starts, periodMs),
    startsAlmost: worstWindow(starts, periodMs - 2),
    arrivals: worstWindow(arrivals, periodMs),
    toIdeal: (Math.max(...starts) - begin) / ideal,
  };
}

/** The event loop stands still, and the processor is left to others. */
function stall(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
}

answerQuestions((pattern: PatternName) => play(patterns[pattern]));
