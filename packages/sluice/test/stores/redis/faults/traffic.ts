import type { Decision } from "sluice";
import { onTestFinished } from "vitest";

/** One call: how it ended, and how long that took. */
export interface Call {
  /** The code of the error, where there was one. */
  readonly outcome: string;
  readonly error?: unknown;
  /** In milliseconds of the monotonic clock, less the time in which this process itself did not run. */
  readonly tookMs: number;
  /** When it was asked, on the same clock. */
  readonly at: number;
}

/** Callers who go on asking while something goes wrong, and what they see. */
export interface Traffic {
  /** Those that have ended. */
  readonly calls: readonly Call[];
  /** Waits for a call that is asked from now on and ends so. @default however it ends */
  next(outcome?: string): Promise<Call>;
  /** Asks no more, and waits for those that are under way. */
  stop(): Promise<Seen>;
}

/** What callers saw, all in all. */
interface Seen {
  readonly calls: readonly Call[];
  count(outcome: string): number;
  /** Each once, in alphabetical order. */
  readonly outcomes: string[];
  /** Calls that ended in none of these ways. */
  otherThan(...outcomes: string[]): Call[];
  /** Of the call that took longest. */
  readonly slowestMs: number;
}

export interface TrafficOptions {
  /** Asked for every few milliseconds. */
  readonly consume: () => PromiseLike<Decision>;
  /** So many calls in one turn of the event loop. @default 2 */
  readonly perTurn?: number;
}

const EVERY_MS = 5;
const PATIENCE_MS = 20_000;

export function traffic({ consume, perTurn = 2 }: TrafficOptions): Traffic {
  const calls: Call[] = [];
  const underWay = new Set<Promise<void>>();
  const waiting = new Set<(call: Call) => void>();
  const clock = ownTime();

  async function ask(): Promise<void> {
    const at = performance.now();
    const end = await consume().then(
      ({ allowed, degraded }) => ({ outcome: `${degraded ? "degraded " : ""}${allowed ? "allowed" : "refused"}` }),
      (error: unknown) => ({ outcome: codeOf(error), error }),
    );
    const call = { ...end, at, tookMs: clock.since(at) };
    calls.push(call);
    for (const hear of waiting) hear(call);
  }

  const asking = setInterval(() => {
    for (let i = 0; i < perTurn; i++) {
      const call = ask().finally(() => underWay.delete(call));
      underWay.add(call);
    }
  }, EVERY_MS);

  onTestFinished(() => {
    clearInterval(asking);
    clock.stop();
  });

  return {
    calls,
    next(outcome) {
      const from = performance.now();
      return new Promise((resolve, reject) => {
        const hear = (call: Call) => {
          if (call.at < from || call.outcome !== (outcome ?? call.outcome)) return;
          clearTimeout(patience);
          waiting.delete(hear);
          resolve(call);
        };
        const patience = setTimeout(() => {
          waiting.delete(hear);
          const last = calls.slice(-5).map((call) => `${call.outcome} (${String(call.error)})`);
          reject(
            new Error(
              `No call ended${outcome ? ` with ${outcome}` : ""} within ${PATIENCE_MS} ms. The last: ${last.join("; ")}`,
            ),
          );
        }, PATIENCE_MS);
        waiting.add(hear);
      });
    },
    async stop() {
      clearInterval(asking);
      await Promise.all(underWay);
      clock.stop();
      return seen(calls);
    },
  };
}

function seen(calls: readonly Call[]): Seen {
  return {
    calls,
    count: (outcome) => calls.filter((call) => call.outcome === outcome).length,
    otherThan: (...outcomes) => calls.filter(({ outcome }) => !outcomes.includes(outcome)),
    outcomes: [...new Set(calls.map(({ outcome }) => outcome))].sort(),
    slowestMs: Math.max(...calls.map(({ tookMs }) => tookMs)),
  };
}

function codeOf(reason: unknown): string {
  const { code, name } = reason as { code?: string; name?: string };
  return code ?? name ?? String(reason);
}

/** A timer that fires later than this tells that the process did not run: the machine or the event loop was busy. */
const LATE_MS = 3;
const TICK_MS = 2;

/** Measures time in which this process could have answered: without the pauses that a busy machine makes. */
function ownTime() {
  const pauses: (readonly [from: number, to: number])[] = [];
  let last = performance.now();
  const look = () => {
    const now = performance.now();
    if (now - last > LATE_MS) pauses.push([last + TICK_MS, now]);
    last = now;
  };
  const ticking = setInterval(look, TICK_MS);
  return {
    since(at: number): number {
      look();
      const now = performance.now();
      const paused = pauses.map(([from, to]) => Math.max(0, Math.min(to, now) - Math.max(from, at)));
      return now - at - paused.reduce((sum, ms) => sum + ms, 0);
    },
    stop: () => clearInterval(ticking),
  };
}
