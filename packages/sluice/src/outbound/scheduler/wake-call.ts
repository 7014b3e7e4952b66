import type { Clock } from "../../limiter/clock.ts";
import { alarm } from "./alarm.ts";

/** When to ask a shared queue, as it said last. Times are microseconds. */
export interface WakeCall {
  /** At `saidAt` on its clock it said: ask after so long; or that somebody else will. */
  told(saidAt: number, after: number | undefined): void;
  cancel(): void;
}

/** No news overtake a reply by so much: what seems to have been said so long before, was said after the clock was set. */
const OVERTAKES_BY = 10_000_000;

/** News overtake replies: what was said before the last that was heard counts no more. */
export function wakeCall(clock: Clock, ring: () => void): WakeCall {
  const wakeUp = alarm(clock, ring);
  let toldAt = -Infinity;
  return {
    told(saidAt, after) {
      if (saidAt < toldAt && toldAt - saidAt < OVERTAKES_BY) return;
      toldAt = saidAt;
      if (after === undefined) wakeUp.cancel();
      else wakeUp.set(clock.elapsed() + after);
    },
    cancel: () => wakeUp.cancel(),
  };
}
