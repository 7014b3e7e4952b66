import type { Clock } from "../../limiter/clock.ts";
import { alarm } from "./alarm.ts";

/** Comes again and again while it is needed, whatever happens meanwhile. */
export interface Heartbeat {
  /** Somebody needs it, or nobody does any more. */
  need(isNeeded: boolean): void;
  /** Whether it comes with what is said now: it does if more than half the time has passed, and then begins anew. */
  comesAlong(): boolean;
}

/** @param everyMs in milliseconds */
export function heartbeat(clock: Clock, everyMs: number, beat: () => void): Heartbeat {
  const every = everyMs * 1000;
  let isSet = false;
  let setAt = -Infinity;
  const next = alarm(clock, () => {
    set();
    beat();
  });

  function set(): void {
    isSet = true;
    setAt = clock.elapsed();
    next.set(setAt + every);
  }

  return {
    need(isNeeded) {
      if (isNeeded && !isSet) set();
      if (isNeeded) return;
      isSet = false;
      next.cancel();
    },
    comesAlong() {
      const isDue = isSet && clock.elapsed() - setAt > every / 2;
      if (isDue) set();
      return isDue;
    },
  };
}
