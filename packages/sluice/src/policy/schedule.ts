import { shown } from "../algorithms/numbers.ts";
import type { QuotaLike } from "../limiter/rate.ts";

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Day = (typeof DAYS)[number];

/** Other quotas at certain times: at night, at weekends. */
export interface ScheduledQuota {
  /** Days on which the time begins. @default every day */
  readonly days?: readonly Day[];
  /** From this time of day on: `"22:00"`. @default "00:00" */
  readonly from?: string;
  /** Up to this time of day, of the next day if it is not later than `from`. @default "24:00" */
  readonly to?: string;
  /** IANA name of the zone in which days and times are meant: `"Europe/Berlin"`. */
  readonly timeZone: string;
  /** In the place of the policy's quotas. */
  readonly quota: QuotaLike | readonly QuotaLike[];
}

/** Says which of several times it is: the first one that it is, by its place in the list. */
export type Timetable = (nowMs: number) => number | undefined;

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

/** @throws TypeError, RangeError for times that cannot be. */
export function timetable(schedule: readonly ScheduledQuota[]): Timetable {
  if (!Array.isArray(schedule) || schedule.length === 0) {
    throw new TypeError(`its schedule is a list of { days, from, to, timeZone, quota }, but it is ${shown(schedule)}.`);
  }
  const tests = schedule.map(testOf);
  let minute = Number.NaN;
  let found: number | undefined;
  return (nowMs) => {
    const now = Math.floor(nowMs / MINUTE_MS);
    // To read a calendar takes long, and a time begins and ends with a minute.
    if (now !== minute) {
      minute = now;
      const place = tests.findIndex((isTime) => isTime(nowMs));
      found = place === -1 ? undefined : place;
    }
    return found;
  };
}

function testOf({ days = DAYS, from = "00:00", to = "24:00", timeZone }: ScheduledQuota): (nowMs: number) => boolean {
  if (!Array.isArray(days) || days.length === 0 || days.some((day) => !DAYS.includes(day))) {
    throw new TypeError(`days is a list of ${DAYS.join(", ")}, but it is ${shown(days)}.`);
  }
  const [begin, end] = [minutesOf("from", from), minutesOf("to", to)];
  const calendar = calendarOf(timeZone);
  const isOn = (day: number) => days.includes(DAYS[(day + 7) % 7]!);
  return (nowMs) => {
    const { day, minutes } = calendar(nowMs);
    if (begin < end) return isOn(day) && minutes >= begin && minutes < end;
    return (isOn(day) && minutes >= begin) || (isOn(day - 1) && minutes < end);
  };
}

function minutesOf(field: string, text: string): number {
  const [, hours, minutes] = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(text) ?? [];
  const value = Number(hours) * 60 + Number(minutes);
  if (value <= DAY_MINUTES) return value;
  throw new RangeError(`${field} is a time of day such as "22:00", but it is ${shown(text)}.`);
}

function calendarOf(timeZone: string): (nowMs: number) => { readonly day: number; readonly minutes: number } {
  let format: Intl.DateTimeFormat;
  try {
    if (typeof timeZone !== "string") throw new TypeError("no text");
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  } catch (cause) {
    throw new RangeError(`timeZone is the name of a zone such as "Europe/Berlin", but it is ${shown(timeZone)}.`, {
      cause,
    });
  }
  return (nowMs) => {
    const parts = new Map(format.formatToParts(nowMs).map(({ type, value }) => [type, value]));
    const day = DAYS.indexOf(parts.get("weekday")!.toLowerCase() as Day);
    return { day, minutes: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
  };
}
