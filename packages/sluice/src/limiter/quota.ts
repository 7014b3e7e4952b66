import type { Algorithm } from "../algorithms/algorithm.ts";
import type { CalendarUnit } from "../algorithms/calendar.ts";
import { fixedWindow } from "../algorithms/fixed-window.ts";
import { greatestCommonDivisor, shown } from "../algorithms/numbers.ts";
import { slidingWindow } from "../algorithms/sliding-window.ts";
import { tokenBucket } from "../algorithms/token-bucket.ts";
import { periodInWords } from "./duration.ts";

/** How much may pass in which time, under a name that shows up in headers, errors, logs and metrics. */
export interface Quota {
  /** Lower-case letters, digits and `_ . -`, beginning with a letter: valid in every header. */
  readonly name: string;
  /** What it says, for people and models: `"60 per minute"`. */
  readonly text: string;
  /** Most units that can be left: the limit of a window, the burst of a bucket. */
  readonly limit: number;
  /** Time over which `limit` units flow back, in milliseconds. For a calendar month: 30 days. */
  readonly periodMs: number;
  readonly algorithm: Algorithm;
}

export interface QuotaOptions {
  /** @default the period: `"per-minute"` */
  readonly name?: string;
  /** Units that may pass at once: makes the quota a token bucket. */
  readonly burst?: number;
  /** IANA time zone: makes the quota one of the calendar. Not with `burst`. */
  readonly timeZone?: string;
}

/** A quota from an algorithm of your own choice, with the numbers that it shows to the world. */
export interface CustomQuota {
  readonly name: string;
  readonly text: string;
  /** @default the capacity of the algorithm */
  readonly limit?: number;
  readonly periodMs: number;
  readonly algorithm: Algorithm;
}

const NAME = /^[a-z][a-z0-9_.-]*$/;

/** @throws RangeError for a name that a header could not carry. */
export function quota({ name, text, limit, periodMs, algorithm }: CustomQuota): Quota {
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new RangeError(
      `A quota's name begins with a lower-case letter, followed by lower-case letters, digits, "_", "." or "-", but it is ${shown(name)}.`,
    );
  }
  return Object.freeze({ name, text, limit: limit ?? algorithm.capacity, periodMs, algorithm });
}

/** At most `limit` in any second. With `burst`, a token bucket. Below 1, one per so many seconds: `0.1` is 1 per 10 s. */
export const perSecond = (limit: number, options?: QuotaOptions): Quota => perPeriod(limit, 1_000, options);
/** At most `limit` in any minute. With `burst`, a token bucket. Below 1, one per so many minutes. */
export const perMinute = (limit: number, options?: QuotaOptions): Quota => perPeriod(limit, 60_000, options);
/** At most `limit` in any hour; with `timeZone`, in each hour of the clock. With `burst`, a token bucket. */
export const perHour = (limit: number, options?: QuotaOptions): Quota => perPeriod(limit, 3_600_000, options);
/** At most `limit` in any 24 hours; with `timeZone`, in each day of the calendar. With `burst`, a token bucket. */
export const perDay = (limit: number, options?: QuotaOptions): Quota => perPeriod(limit, 86_400_000, options);
/** At most `limit` in any seven days; with `timeZone`, in each week from Monday. With `burst`, a token bucket. */
export const perWeek = (limit: number, options?: QuotaOptions): Quota => perPeriod(limit, 604_800_000, options);

/** At most `limit` in each month of the calendar. */
export function perMonth(limit: number, options: QuotaOptions & { readonly timeZone: string }): Quota {
  return calendarQuota(limit, "month", 30 * 86_400_000, options);
}

const CALENDAR_UNITS: ReadonlyMap<number, CalendarUnit> = new Map([
  [3_600_000, "hour"],
  [86_400_000, "day"],
  [604_800_000, "week"],
]);

/**
 * At most `limit` in any `periodMs` milliseconds: a sliding window; with `burst` a token bucket.
 *
 * A limit below 1 means one unit in a longer period, exactly: 0.5 per second is 1 per 2 seconds.
 *
 * @throws RangeError for numbers that are not whole (1.5 per second: write 3 per 2 seconds), out of
 *   range, or a `timeZone` for a period that is not an hour, a day or a week.
 */
export function perPeriod(limit: number, periodMs: number, options: QuotaOptions = {}): Quota {
  if (limit > 0 && limit < 1) return perPeriod(1, oneUnitPeriod(limit, periodMs), options);
  if (limit > 1 && limit < 2 ** 31 && !Number.isInteger(limit))
    throw notWhole(limit, periodMs, "is not a whole number");
  if (options.timeZone !== undefined) {
    const unit = CALENDAR_UNITS.get(periodMs);
    if (unit === undefined) {
      throw new RangeError(
        `A quota of the calendar is per hour, day, week or month, but it is per ${periodInWords(periodMs)}.`,
      );
    }
    return calendarQuota(limit, unit, periodMs, options);
  }
  const period = periodInWords(periodMs);
  const name = options.name ?? `per-${period.replaceAll(/[ .]/g, "-")}`;
  if (options.burst === undefined) {
    return quota({ name, text: `${limit} per ${period}`, periodMs, algorithm: slidingWindow({ limit, periodMs }) });
  }
  const { burst } = options;
  return quota({
    name,
    text: `${limit} per ${period} in bursts of up to ${burst}`,
    periodMs: (periodMs * burst) / limit,
    algorithm: tokenBucket({ limit, periodMs, burst }),
  });
}

function calendarQuota(limit: number, unit: CalendarUnit, periodMs: number, options: QuotaOptions): Quota {
  const { name = `per-${unit}`, timeZone = "UTC", burst } = options;
  if (burst !== undefined) throw new RangeError("A quota of the calendar has no burst: leave out burst or timeZone.");
  const algorithm = fixedWindow({ limit, calendar: unit, timeZone });
  return quota({ name, text: `${limit} per calendar ${unit} (${timeZone})`, periodMs, algorithm });
}

/** `periodMs / limit` for a limit below 1, without the rounding of a division. */
function oneUnitPeriod(limit: number, periodMs: number): number {
  const [units, periods] = asFraction(limit);
  const period = (periodMs * 1000 * periods) / units;
  if (Number.isSafeInteger(period)) return period / 1000;
  throw notWhole(limit, periodMs, "is not one per a whole number of microseconds");
}

function notWhole(limit: number, periodMs: number, problem: string): RangeError {
  const [units, periods] = asFraction(limit);
  const longer = periodInWords(periodMs * periods);
  return new RangeError(
    `${limit} per ${periodInWords(periodMs)} ${problem}. Write ${units} per ${longer}: "${units}/${longer}".`,
  );
}

/** A number as units per periods in lowest terms, through its decimal digits: 2.5 is 5 per 2. */
function asFraction(value: number): readonly [units: number, periods: number] {
  const [mantissa = "", exponent = "0"] = String(value).split("e");
  const [whole = "", decimals = ""] = mantissa.split(".");
  const scale = 10 ** (decimals.length - Number(exponent));
  const digits = Number(whole + decimals);
  const divisor = greatestCommonDivisor(digits, scale);
  return [digits / divisor, scale / divisor];
}
