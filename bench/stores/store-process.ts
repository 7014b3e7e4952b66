/** One contender over a shared store, as a process that does checks whenever it is asked. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { answerQuestions } from "../worker.ts";
import { type ContenderName, contenders, type Place, type Rate } from "./contenders.ts";

/** What a process is started with. */
export interface Setup {
  readonly name: ContenderName;
  readonly rate: Rate;
  readonly place: Place;
  readonly keys: number;
}

/** What it is asked to do. */
export type Question =
  /** Keep so many checks in flight for so long. */
  | { readonly kind: "flat out"; readonly inFlight: number; readonly forMs: number }
  /** Do so many checks per second: at first a third of them, and from `measureAfterMs` on all, which are counted. */
  | { readonly kind: "paced"; readonly perSecond: number; readonly forMs: number; readonly measureAfterMs: number };

export interface Work {
  readonly checks: number;
  readonly allowed: number;
  readonly calls: number;
  readonly ms: number;
  /** CPU time of this process, garbage collection included. */
  readonly cpuUs: number;
  /** The event loop's delay at p99.9, in milliseconds. */
  readonly stallMs: number;
}

const { name, rate, place, keys }: Setup = JSON.parse(process.argv[2]!);
const contender = contenders[name](rate, place);
let at = 0;

/** Keys in an order that visits all of them and has no pattern. */
const order = Array.from({ length: keys }, (_, i) => `client:${100_000 + ((i * 7919) % keys)}`);

function nextKey(): string {
  if (at === keys) at = 0;
  return order[at++]!;
}

async function flatOut(inFlight: number, forMs: number): Promise<Work> {
  let allowed = 0;
  let checks = 0;
  const end = performance.now() + forMs;
  return measured(
    async () => {
      const one = async () => {
        while (performance.now() < end) {
          for (let i = 0; i < TURN; i++) {
            checks++;
            if (contender.isAllowed(await contender.check(nextKey()))) allowed++;
            if (++sinceTurn >= LONGEST_TURN) await everythingElse();
          }
        }
      };
      await Promise.all(Array.from({ length: inFlight }, one));
    },
    () => ({ checks, allowed }),
  );
}

const TURN = 20;
/** A server does other things between checks: after so many, everything else has its turn. */
const LONGEST_TURN = 500;
let sinceTurn = 0;
let turn: Promise<void> | undefined;

/** All lanes wait for the same turn. */
function everythingElse(): Promise<void> {
  turn ??= nextTurn().then(() => {
    sinceTurn = 0;
    turn = undefined;
  });
  return turn;
}

/** In steps of ten milliseconds, never waiting for answers. */
async function paced(perSecond: number, forMs: number, measureAfterMs: number): Promise<Work> {
  let allowed = 0;
  let checks = 0;
  let sent = 0;
  let isMeasuring = false;
  const begin = performance.now();
  const until = async (end: number) => {
    for (;;) {
      const passed = performance.now() - begin;
      if (passed >= end) return;
      const early = Math.min(passed, measureAfterMs);
      const due = ((early / 3 + passed - early) / 1000) * perSecond;
      for (; sent < due; sent++) {
        const counts = isMeasuring;
        if (counts) checks++;
        const note = (answer: unknown) => {
          if (contender.isAllowed(answer) && counts) allowed++;
        };
        void contender.check(nextKey()).then(note, note);
      }
      await sleep(10);
    }
  };
  await until(measureAfterMs);
  isMeasuring = true;
  return measured(
    () => until(forMs),
    () => ({ checks, allowed }),
  );
}

async function measured(
  work: () => Promise<void>,
  counts: () => { readonly checks: number; readonly allowed: number },
): Promise<Work> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const calls = contender.calls();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  delay.enable();
  await work();
  delay.disable();
  const { user, system } = process.cpuUsage(cpu);
  return {
    ...counts(),
    calls: contender.calls() - calls,
    ms: performance.now() - begin,
    cpuUs: user + system,
    stallMs: delay.percentile(99.9) / 1e6,
  };
}

answerQuestions((question: Question) =>
  question.kind === "flat out"
    ? flatOut(question.inFlight, question.forMs)
    : paced(question.perSecond, question.forMs, question.measureAfterMs),
);
