import type { Clock } from "../../limiter/clock.ts";
import type { QueuedStanding } from "../upstream-options.ts";
import type { Progress } from "./tool-request.ts";

export interface WaitProgressOptions {
  readonly clock: Clock;
  readonly tell: (progress: Progress) => Promise<unknown>;
  /** Least time between two notifications, in milliseconds. */
  readonly everyMs: number;
  /** When the request came, on the clock's elapsed time in microseconds. */
  readonly startedAt: number;
}

/** Tells a client how its request waits for upstreams. */
export interface WaitProgress {
  /** A call of the request waits. Returns what says that it has ended. */
  waits(upstream: string, standing: QueuedStanding): () => void;
  /** The request has ended, perhaps to be taken up again: nothing is told until then. */
  end(): void;
}

/** Progress must grow with each notification: by this much, in seconds, if no time has passed. */
const LEAST_STEP = 0.001;

/**
 * Progress of waiting: at once when a call must wait, and then now and then while its standing changes.
 *
 * Progress counts the seconds since the request came, the total is when the last of its waiting calls starts.
 */
export function waitProgress({ clock, tell, everyMs, startedAt }: WaitProgressOptions): WaitProgress {
  const calls = new Set<{ readonly upstream: string; readonly standing: QueuedStanding }>();
  let cancel: (() => void) | undefined;
  let toldAt = -Infinity;
  let told: Progress = { progress: -LEAST_STEP, message: "" };

  /** The waiting call that starts last: the tool waits for that at least. */
  function last() {
    const waiting = [...calls]
      .filter(({ standing }) => standing.isWaiting)
      .map(({ upstream, standing: { position, startsInMs } }) => ({ upstream, position, startsInMs }));
    return waiting.sort((a, b) => b.startsInMs - a.startsInMs || b.position - a.position)[0];
  }

  function tellNow(): void {
    const call = last();
    const message = call === undefined ? told.message : messageOf(call);
    if (call !== undefined && message !== told.message) {
      toldAt = clock.elapsed();
      const progress = Math.max(inSeconds((toldAt - startedAt) / 1000), inSeconds((told.progress + LEAST_STEP) * 1000));
      const total = call.startsInMs > 0 ? { total: inSeconds(progress * 1000 + call.startsInMs) } : {};
      told = { progress, ...total, message };
      // A client that cannot be reached will not get the result either.
      tell(told).catch(() => {});
    }
    cancel = clock.after(everyMs, tellNow, true);
  }

  function stop(): void {
    cancel?.();
    cancel = undefined;
  }

  return {
    waits(upstream, standing) {
      const call = { upstream, standing };
      calls.add(call);
      if (cancel === undefined) {
        const leftMs = everyMs - (clock.elapsed() - toldAt) / 1000;
        if (leftMs <= 0) tellNow();
        else cancel = clock.after(leftMs, tellNow, true);
      }
      return () => {
        calls.delete(call);
        if (calls.size === 0) stop();
      };
    },
    end() {
      calls.clear();
      stop();
    },
  };
}

/** Milliseconds as seconds, to the millisecond. */
const inSeconds = (ms: number): number => Math.round(ms) / 1000;

/** People count places from 1. When a call starts that waits for others to end, nobody knows. */
function messageOf({ upstream, position, startsInMs }: { upstream: string; position: number; startsInMs: number }) {
  const place = `Waiting for ${upstream}: position ${position + 1}`;
  return startsInMs > 0 && startsInMs < Infinity
    ? `${place}, starts in about ${Math.ceil(startsInMs / 1000)} s`
    : place;
}
