import type { Clock } from "../limiter/clock.ts";

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Let time pass: timers that fall due fire in order, with what they promised settled in between. */
  advance(ms: number): Promise<void>;
  /** Let time pass at once; timers that fall due fire in order, but nobody waits for what follows from them. */
  advanceSync(ms: number): void;
  /** Set the time on the wall, as an administrator or NTP does: elapsed time goes on as before. */
  stepWall(ms: number): void;
  /** Timers that have not fired. */
  readonly pending: number;
}

export interface ManualClockOptions {
  /** Time on the wall at the start. @default 2026-01-01T00:00:00Z */
  readonly wall?: Date;
}

/** Time for tests: nothing sleeps, and every moment can be looked at. */
export function manualClock({ wall = new Date("2026-01-01T00:00:00Z") }: ManualClockOptions = {}): ManualClock {
  let elapsed = 1_000_000;
  let offset = wall.getTime() * 1000 - elapsed;
  const timers = new Set<{ due: number; callback: () => void }>();

  function* dueBefore(end: number): Generator<() => void> {
    for (;;) {
      const [next] = [...timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due);
      if (next === undefined) break;
      timers.delete(next);
      elapsed = Math.max(elapsed, next.due);
      yield next.callback;
    }
    elapsed = end;
  }

  return {
    elapsed: () => elapsed,
    wall: () => elapsed + offset,
    after(ms, callback) {
      const timer = { due: elapsed + Math.ceil(ms * 1000), callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      await settled();
      for (const fire of dueBefore(elapsed + Math.round(ms * 1000))) {
        fire();
        await settled();
      }
    },
    advanceSync(ms) {
      for (const fire of dueBefore(elapsed + Math.round(ms * 1000))) fire();
    },
    stepWall(ms) {
      offset += Math.round(ms * 1000);
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Everything that follows from promises that are settled by now has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
