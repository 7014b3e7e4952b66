import type { Call } from "./call.ts";
import { alarm } from "./scheduler/alarm.ts";
import type { Line } from "./scheduler/line.ts";
import type { QueuedCall } from "./scheduler/queued-call.ts";

/** Calls that have left the line and will stand in it again: before another attempt, or while the breaker is open. */
export interface BetweenAttempts {
  /** Stand in line once more, after a while, or when calls are let on if that is sooner. */
  wait<T>(call: Call<T>, delayMs: number, isHeldBack?: boolean): Promise<T>;
  /** Those that were held back stand in line now. */
  letOn(): void;
  /** All of them are refused. */
  stop(error: unknown): void;
}

export function betweenAttempts(line: Line): BetweenAttempts {
  const stops = new Set<(error: unknown) => void>();
  const heldBack = new Map<QueuedCall, () => void>();

  return {
    wait<T>(call: Call<T>, delayMs: number, isHeldBack = false) {
      call.isAgain = true;
      return new Promise<T>((resolve) => {
        call.settle = resolve;
        const goOn = () => {
          leave();
          try {
            line.enter(call, Infinity);
          } catch (error) {
            call.refuse(error);
          }
        };
        const stop = (error: unknown): void => {
          leave();
          call.refuse(error);
        };
        const aborted = () => stop(line.error("cancelled", { cause: call.signal!.reason }));
        const wakeUp = alarm(line.clock, goOn);
        const leave = () => {
          wakeUp.cancel();
          stops.delete(stop);
          heldBack.delete(call);
          call.signal?.removeEventListener("abort", aborted);
        };
        wakeUp.set(line.clock.elapsed() + Math.ceil(delayMs * 1000));
        stops.add(stop);
        if (isHeldBack) heldBack.set(call, goOn);
        call.signal?.addEventListener("abort", aborted, { once: true });
      });
    },
    letOn() {
      for (const [, goOn] of [...heldBack].sort(([a], [b]) => a.order - b.order)) goOn();
    },
    stop(error) {
      for (const stop of [...stops]) stop(error);
    },
  };
}
