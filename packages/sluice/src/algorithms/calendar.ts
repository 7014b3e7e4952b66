import { shown } from "./numbers.ts";

/** Windows that a fixed-window algorithm counts in, in microseconds. */
export interface Windows {
  /** No window is longer. */
  readonly longest: number;
  /** End of the window that `now` lies in: always later than `now`. */
  endAfter(now: number): number;
}

const UNITS = ["hour", "day", "week", "month"] as const;

/** What calendar windows begin with. A week begins on Monday (ISO 8601). */
export type CalendarUnit = (typeof UNITS)[number];

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
/** With two hours to spare for the end of summer time: at Troll in Antarctica it moves the clock by so much. */
const LONGEST: Readonly<Record<CalendarUnit, number>> = {
  hour: 2 * HOUR,
  day: 26 * HOUR,
  week: (7 * 24 + 2) * HOUR,
  month: (31 * 24 + 2) * HOUR,
};

/**
 * The windows of the calendar in a time zone.
 *
 * The end of a window is where the local calendar says something else: found by bisection over
 * `Intl`, so every rule that the platform knows about time zones holds, and kept until it is over.
 *
 * @throws RangeError for a unit or a time zone that does not exist.
 */
export function calendar(unit: CalendarUnit, timeZone: string): Windows {
  if (!UNITS.includes(unit)) {
    throw new RangeError(`A calendar unit is one of ${UNITS.join(", ")}, but it is ${shown(unit)}.`);
  }
  const labelOf = labels(unit, timeZone);
  let start = Infinity;
  let end = -Infinity;
  return {
    longest: LONGEST[unit],
    endAfter(now) {
      if (now >= start && now < end) return end;
      const second = Math.floor(now / SECOND);
      end = SECOND * firstChange(labelOf, second, second + LONGEST[unit] / SECOND);
      start = now;
      return end;
    },
  };
}

/** The first second after `from` whose label differs from that of `from`; `to` is known to differ. */
function firstChange(labelOf: (second: number) => string, from: number, to: number): number {
  const label = labelOf(from);
  let same = from;
  let other = to;
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (labelOf(middle) === label) same = middle;
    else other = middle;
  }
  return other;
}

/** Names the local hour, day, week or month of a Unix second: equal exactly within one window. */
function labels(unit: CalendarUnit, timeZone: string): (second: number) => string {
  const format = formatter(unit, timeZone);
  const fields = (second: number) =>
    Object.fromEntries(format.formatToParts(second * 1000).map(({ type, value }) => [type, value]));
  if (unit !== "week") return (second) => format.format(second * 1000);
  return (second) => {
    const { year, month, day } = fields(second);
    const dayNumber = Date.UTC(Number(year), Number(month) - 1, Number(day)) / 86_400_000;
    return String(Math.floor((dayNumber + 3) / 7)); // 1970-01-01 was a Thursday.
  };
}

/** For an hour the text includes the offset: it tells apart the two hours of one name when summer time ends. */
function formatter(unit: CalendarUnit, timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "gregory",
      year: "numeric",
      month: "2-digit",
      ...(unit !== "month" && { day: "2-digit" }),
      ...(unit === "hour" && { hour: "2-digit", hourCycle: "h23", timeZoneName: "longOffset" }),
    });
  } catch (cause) {
    throw new RangeError(`${shown(timeZone)} is not a time zone. Use an IANA name such as "UTC" or "Europe/Berlin".`, {
      cause,
    });
  }
}
