import type { Clock } from "../../limiter/clock.ts";
import type { LoopSettings } from "./loop-options.ts";

/** What a call that comes again and again is to hear. */
type LoopVerdict =
  | { readonly kind: "run"; readonly delayMs: number }
  /** It is not run this once. `times`: it was, with the same result each time. */
  | { readonly kind: "warn"; readonly times: number }
  | { readonly kind: "stop"; readonly times: number; readonly retryAfterMs: number };

/** One call, as it was made with the same arguments before. */
interface Run {
  /** Results in a row that were the same. */
  times: number;
  result: string | undefined;
  isWarned: boolean;
  /** When it was run or warned of last, on the clock's elapsed time in microseconds. */
  at: number;
}

/** More are forgotten, the one first that was made longest ago. */
const MAX_RUNS = 10_000;
const LONGEST_DELAY_MS = 10_000;

/** Remembers which calls came how often with the same result. */
export interface LoopMemory {
  /** A call comes. */
  ask(name: string): LoopVerdict;
  /** It had this result. */
  note(name: string, result: string): void;
}

export function loopMemory(settings: LoopSettings, clock: Clock): LoopMemory {
  const { warnAfter, slowAfter, stopAfter, slowMs, stopMs, forgetMs } = settings;
  const runs = new Map<string, Run>();

  function runOf(name: string, now: number): Run {
    const known = runs.get(name);
    runs.delete(name);
    const isForgotten = known === undefined || now - known.at > forgetMs * 1000;
    const run = isForgotten ? { times: 0, result: undefined, isWarned: false, at: now } : known;
    if (runs.size >= MAX_RUNS) runs.delete(runs.keys().next().value!);
    runs.set(name, run);
    return run;
  }

  return {
    ask(name) {
      const now = clock.elapsed();
      const run = runOf(name, now);
      const { times } = run;
      if (times >= stopAfter) {
        const leftMs = stopMs - (now - run.at) / 1000;
        if (leftMs > 0) return { kind: "stop", times, retryAfterMs: Math.ceil(leftMs) };
        // One more, to see whether anything has changed.
        run.times = stopAfter - 1;
      }
      run.at = now;
      if (run.times >= slowAfter) {
        return { kind: "run", delayMs: Math.min(LONGEST_DELAY_MS, slowMs * 2 ** (run.times - slowAfter)) };
      }
      if (run.times < warnAfter || run.isWarned) return { kind: "run", delayMs: 0 };
      run.isWarned = true;
      return { kind: "warn", times };
    },
    note(name, result) {
      const run = runs.get(name);
      if (run === undefined) return;
      if (run.result === result) run.times++;
      else {
        run.times = 1;
        run.isWarned = false;
      }
      run.result = result;
    },
  };
}
