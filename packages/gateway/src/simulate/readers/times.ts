/** Units in which logs write times and durations, in milliseconds. */
export const UNITS: Readonly<Record<string, number>> = { s: 1_000, ms: 1, us: 0.001, ns: 0.000_001 };

/** Nobody has logged MCP calls before 2001 or will after 2100: a number of another size is in another unit. */
const EARLIEST_MS = 978_307_200_000;
const LATEST_MS = 4_102_444_800_000;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** nginx's `$time_local`: 29/Nov/2026:12:39:49 +0000 */
const LOCAL = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/;
/** Without a zone it would be another time on each machine. */
const ISO = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;

/**
 * A time as milliseconds since 1970: a number of seconds, milliseconds, microseconds or nanoseconds, by its size unless `unit` says
 * which; ISO 8601 with a zone; or nginx's `$time_local`. `undefined`: none of these.
 */
export function timeOf(value: unknown, unit?: string): number | undefined {
  if (typeof value === "number") return timeOfNumber(value, unit);
  if (typeof value !== "string" || value === "") return undefined;
  const number = Number(value);
  if (!Number.isNaN(number)) return timeOfNumber(number, unit);
  const local = LOCAL.exec(value);
  if (local !== null) return timeOfLocal(local);
  if (!ISO.test(value)) return undefined;
  const fraction = /[.,](\d{3})(\d{1,6})/.exec(value);
  const ms = Date.parse(
    value
      .replace(" ", "T")
      .replace(",", ".")
      .replace(/(\.\d{3})\d+/, "$1"),
  );
  // Dates know milliseconds; logs often know microseconds.
  return Number.isNaN(ms)
    ? undefined
    : ms + (fraction === null ? 0 : Math.floor(Number(`0.${fraction[2]}`) * 1000) / 1000);
}

function timeOfNumber(value: number, unit: string | undefined): number | undefined {
  if (unit !== undefined) return within(value * UNITS[unit]!);
  for (const factor of Object.values(UNITS)) {
    const ms = within(value * factor);
    if (ms !== undefined) return ms;
  }
  return undefined;
}

const within = (ms: number): number | undefined => (ms >= EARLIEST_MS && ms < LATEST_MS ? ms : undefined);

function timeOfLocal([, day, month, year, hour, minute, second, sign, zoneHour, zoneMinute]: RegExpExecArray):
  | number
  | undefined {
  const at = MONTHS.indexOf(month!);
  if (at === -1) return undefined;
  const utc = Date.UTC(Number(year), at, Number(day), Number(hour), Number(minute), Number(second));
  const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000;
  return sign === "+" ? utc - zone : utc + zone;
}

/** A duration in milliseconds; `undefined`: it is none. */
export function durationOf(value: unknown, unit = "ms"): number | undefined {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && number >= 0 && number < Infinity ? number * UNITS[unit]! : undefined;
}
