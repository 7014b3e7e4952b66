import type { Clock } from "../../limiter/clock.ts";
import { alarm } from "./alarm.ts";

/** Comes again and again while it is needed, whatever happens meanwhile. */
export interface Heartbeat {
  /** Somebody needs it, or nobody does any more. */
  need(isNeeded: boolean): void;
}

/** @param everyMs in milliseconds */
export function heartbeat(clock: Clock, everyMs: number, beat: () => void): Heartbeat {
  let isSet = false;
  const next = alarm(clock, () => {
    set();
    beat();
  });

  function set(): void {
    isSet = true;
    next.set(clock.elapsed() + everyMs * 1000);
  }

  return {
    need(isNeeded) {
      if (isNeeded && !isSet) set();
      if (isNeeded) return;
      isSet = false;
      next.cancel();
    },
  };
}
