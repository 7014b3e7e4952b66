import { parseHttpDate } from "./http-date.ts";

/** Nobody is believed who says to wait for longer than a year: it is a mistake, or worse. */
const MAX_AHEAD_MS = 366 * 86_400_000;

const NUMBER = /^\d+(?:\.\d+)?$/;
const DATE_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h|d))+$/;
const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * A time that a header states, in milliseconds from now, rounded up; undefined for what is no time, or more than one
 * thing. The forms: seconds from now (`1.5`), seconds or milliseconds since 1970, a date of HTTP (RFC 9110), a date of
 * RFC 3339, and a duration as Go writes it (`6m0s`, `20ms`). Numbers are told apart by their size: one of up to a year
 * of seconds is a duration, and a point in time must lie in the years 2001 to 5138. What is past is 0.
 *
 * @param serverMs what the clock of the server says now, in milliseconds since 1970.
 */
export function readTime(text: string | undefined, serverMs: number): number | undefined {
  if (text === undefined || text.length > 64) return undefined;
  if (NUMBER.test(text)) return readNumber(Number(text), serverMs);
  if (DURATION.test(text)) return believable(durationMs(text));
  const at = DATE_TIME.test(text) ? Date.parse(text.toUpperCase().replace(" ", "T")) : parseHttpDate(text, serverMs);
  return at === undefined ? undefined : believable(at - serverMs);
}

function readNumber(value: number, serverMs: number): number | undefined {
  if (value * 1000 <= MAX_AHEAD_MS) return believable(value * 1000);
  if (value >= 1e9 && value < 1e11) return believable(value * 1000 - serverMs);
  if (value >= 1e12 && value < 1e14) return believable(value - serverMs);
  return undefined;
}

function durationMs(text: string): number {
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([a-zµμ]+)/g)) sum += Number(amount) * UNITS_MS[unit!]!;
  return sum;
}

/** Whole milliseconds from 0 to a year, or undefined. What decimals of seconds are off by in binary is not rounded up. */
export function believable(ms: number): number | undefined {
  return ms <= MAX_AHEAD_MS ? Math.max(0, Math.ceil(ms - 1e-6)) : undefined;
}
