/** Where a store reads the time, and where waiting is timed. Times are integer microseconds. */
export interface Clock {
  /** Time since some start: never goes back, whatever happens to the time on the wall. */
  elapsed(): number;
  /** Time since 1970, for quotas of the calendar. */
  wall(): number;
  /**
   * Calls back once, `ms` milliseconds from now. Returns what cancels it.
   *
   * @param isBackground does not keep a process alive that has nothing else to do. @default false
   */
  after(ms: number, callback: () => void, isBackground?: boolean): () => void;
}

/** A longer timer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const monotonicMs = performance.now.bind(performance);

/** The clock of this process: `performance.now()`, which is monotonic, and `Date.now()` for the calendar. */
export const systemClock: Clock = {
  elapsed: () => Math.floor(monotonicMs() * 1000),
  wall: () => Date.now() * 1000,
  after(ms, callback, isBackground = false) {
    const due = monotonicMs() + ms;
    let timer: ReturnType<typeof setTimeout>;
    arm();
    return () => clearTimeout(timer);

    function arm(): void {
      const left = due - monotonicMs();
      // A timer may fire up to a millisecond early, and whoever asks too early is refused once more.
      timer = setTimeout(() => (due > monotonicMs() ? arm() : callback()), Math.min(Math.ceil(left), MAX_TIMER_MS));
      // Outside Node a timer is a number, and keeps nothing alive.
      if (isBackground && typeof timer === "object") timer.unref();
    }
  },
};
