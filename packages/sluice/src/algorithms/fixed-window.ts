import { type Algorithm, type Answer, type Cells, type LateTerms, type LeaseTerms, Mode } from "./algorithm.ts";
import { type CalendarUnit, calendar, type Windows } from "./calendar.ts";
import { MAX_UNITS, wholeMicroseconds, wholeNumber } from "./numbers.ts";

export interface FixedWindowOptions {
  /** Units per window: a whole number from 1. */
  readonly limit: number;
  /** Length of a window in milliseconds; may have up to three decimals. Excludes `calendar`. */
  readonly periodMs?: number;
  /** Windows that begin with the hour, day, week (Monday, ISO 8601) or month of `timeZone`. */
  readonly calendar?: CalendarUnit;
  /**
   * IANA name of the time zone of `calendar`.
   *
   * @default "UTC"
   */
  readonly timeZone?: string;
}

/**
 * Fixed window: a count that starts anew with every window.
 *
 * With `calendar`, windows are those of the calendar; a day with a clock change is one window of 23
 * or 25 hours. With `periodMs`, a window begins with the first unit taken after the last one ended,
 * so that keys do not all start anew at once.
 *
 * **Bound**: at most `limit` units in each of its windows. A window W that lies across an edge can
 * hold more: at most `limit × (⌈W / period⌉ + 1)`, which is `2 × limit` for one period. Use it for
 * quotas that are defined so (an upstream's daily quota); a sliding window keeps `limit` everywhere.
 *
 * @throws RangeError for numbers out of range, an unknown time zone, or both kinds of period.
 */
export function fixedWindow({ limit, periodMs, calendar: unit, timeZone }: FixedWindowOptions): Algorithm {
  wholeNumber("limit", limit, 1);
  if ((periodMs === undefined) === (unit === undefined)) {
    throw new RangeError("A fixed window has either a periodMs or a calendar unit (hour, day, week, month).");
  }
  if (unit !== undefined) {
    const zone = timeZone ?? "UTC";
    return new FixedWindow(limit, calendar(unit, zone), "wall", [limit, unit, zone]);
  }
  if (timeZone !== undefined) {
    throw new RangeError("A time zone needs a calendar unit (hour, day, week, month) instead of periodMs.");
  }
  const period = wholeMicroseconds("periodMs", periodMs);
  return new FixedWindow(limit, { longest: period, endAfter: (now) => now + period }, "elapsed", [limit, period]);
}

/** Fewer units per window are not worth being shared out. */
const LEAST_PER_WINDOW = 100;

/** The state is `[units taken, end of the window]`. */
class FixedWindow implements Algorithm {
  readonly name = "fixed-window";
  readonly width = 2;
  readonly clock: "elapsed" | "wall";
  readonly params: readonly (number | string)[];
  readonly capacity: number;
  readonly carries: boolean;
  readonly #windows: Windows;

  constructor(
    limit: number,
    windows: Windows,
    clock: "elapsed" | "wall",
    params: readonly (number | string)[],
    carries = false,
  ) {
    this.carries = carries;
    this.capacity = limit;
    this.#windows = windows;
    this.clock = clock;
    this.params = params;
  }

  apply(cells: Cells, offset: number, now: number, cost: number, mode: Mode, receipt: number, answer: Answer): void {
    const kept = cells[offset + 1]!;
    const isOver = now >= kept;
    let used = isOver ? 0 : cells[offset]!;
    const isFromTheFuture = this.#isFromTheFuture(kept, now);
    const end = used === 0 || isFromTheFuture ? this.#windows.endAfter(now) : kept;
    const allowed = cost <= 0 || mode === Mode.force || used + cost <= this.capacity;
    if (cost < 0) {
      if (receipt === 0 || receipt === end) used = Math.max(0, used + cost);
    } else if (allowed) {
      used = Math.min(MAX_UNITS, used + cost);
    }
    if (mode !== Mode.peek && (allowed || isFromTheFuture)) {
      cells[offset] = used;
      cells[offset + 1] = end;
    }
    answer.allowed = allowed;
    answer.remaining = Math.max(0, this.capacity - used);
    answer.retryAfter = allowed ? 0 : cost > this.capacity ? Infinity : end - now;
    answer.resetAfter = used === 0 ? 0 : end - now;
    answer.receipt = end;
  }

  isFresh(cells: Cells, offset: number, now: number): boolean {
    return cells[offset] === 0 || now >= cells[offset + 1]!;
  }

  /** A unit is used in the window that it was granted in: nothing of the limit is lost. */
  forLeases(lease: number): LeaseTerms | undefined {
    if (this.capacity < LEAST_PER_WINDOW) return undefined;
    const perLease = (lease * this.capacity) / this.#windows.longest;
    return { algorithm: this, lease, endsWithWindow: true, isReturnable: true, perLease };
  }

  usedLate(): LateTerms {
    return { algorithm: this, endsWithWindow: true };
  }

  /** The count goes on, in the window that it began in. */
  carrying(): Algorithm {
    return new FixedWindow(this.capacity, this.#windows, this.clock, this.params, true);
  }

  share(parts: number): Algorithm {
    const limit = Math.max(1, Math.floor(this.capacity / parts));
    return new FixedWindow(limit, this.#windows, this.clock, [limit, ...this.params.slice(1)]);
  }

  /**
   * The clock was set back by more than a window: without this the count would stand until the clock
   * has caught up. The units stay counted, in the window of today. A smaller step back keeps the
   * window as it is, so that its start cannot be used twice.
   */
  #isFromTheFuture(end: number, now: number): boolean {
    return end - now > 2 * this.#windows.longest;
  }
}
