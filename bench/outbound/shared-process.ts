/** One of the processes that share a limit over Redis. Arguments: the contender, the address of Redis. */
import { setTimeout as pause } from "node:timers/promises";
import { answerQuestions } from "../worker.ts";
import { type SharingName, sharing } from "./sharing.ts";

/** What it is asked to do: make so many calls, with pauses before them or all at once. */
export interface Question {
  readonly calls: number;
  readonly pauseMs: number;
}

const [name, redisUrl] = process.argv.slice(2) as [SharingName, string];
const caller = await sharing[name](redisUrl);

/** Milliseconds of the clock that all processes of the machine have. */
export interface Made {
  /** When the first call came. */
  readonly cameMs: number;
  readonly startsMs: readonly number[];
}

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

async function makeCalls({ calls, pauseMs }: Question): Promise<Made> {
  const cameMs = nowMs();
  const startsMs: number[] = [];
  const call = async () => {
    startsMs.push(nowMs());
  };
  const all: Promise<void>[] = [];
  for (let i = 0; i < calls; i++) {
    if (pauseMs > 0) await pause(pauseMs);
    all.push(caller.run(call));
  }
  await Promise.all(all);
  return { cameMs, startsMs };
}

answerQuestions(makeCalls);
