import type { Clock } from "sluice";

interface Timer {
  readonly due: number;
  /** Of two that are due at once the older one is first. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Time as a log tells of it: it stands still until it is moved. All times in microseconds since 1970. */
export interface VirtualClock extends Clock {
  /** Never back. */
  moveTo(time: number): void;
  /** When the next timer is due; `Infinity`: there is none. */
  next(): number;
  /** Moves to the next timer, and lets it fire. */
  fire(): void;
}

const isBefore = (a: Timer, b: Timer): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

export function virtualClock(): VirtualClock {
  let now = 0;
  let order = 0;
  /** A binary heap. What was cancelled stays until its turn comes. */
  const timers: Timer[] = [];

  function add(timer: Timer): void {
    let at = timers.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(timer, timers[above]!)) break;
      timers[at] = timers[above]!;
      at = above;
    }
    timers[at] = timer;
  }

  function removeFirst(): void {
    const last = timers.pop()!;
    if (timers.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= timers.length) break;
      if (below + 1 < timers.length && isBefore(timers[below + 1]!, timers[below]!)) below++;
      if (!isBefore(timers[below]!, last)) break;
      timers[at] = timers[below]!;
      at = below;
    }
    timers[at] = last;
  }

  function first(): Timer | undefined {
    while (timers.length > 0 && timers[0]!.callback === undefined) removeFirst();
    return timers[0];
  }

  return {
    elapsed: () => now,
    wall: () => now,
    after(ms, callback) {
      const timer: Timer = { due: now + Math.ceil(ms * 1000), order: ++order, callback };
      add(timer);
      return () => {
        timer.callback = undefined;
      };
    },
    moveTo(time) {
      if (time > now) now = time;
    },
    next: () => first()?.due ?? Infinity,
    fire() {
      const timer = first();
      if (timer === undefined) return;
      removeFirst();
      if (timer.due > now) now = timer.due;
      const { callback } = timer;
      timer.callback = undefined;
      callback!();
    },
  };
}
