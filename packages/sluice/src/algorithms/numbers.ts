/** `value`, when it is a safe integer of at least `least`; otherwise an error that names both. */
export function wholeNumber(name: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw new RangeError(`${name} must be a whole number of at least ${least}, but it is ${shown(value)}.`);
}

/** What a counter that is forced beyond its limit stops at: no state ever holds more than a safe integer. */
export const MAX_UNITS = Number.MAX_SAFE_INTEGER;

/** 71 years in microseconds: sums of times, and a bucket of one unit per such a period, are exact. */
const MAX_PERIOD = 2 ** 51;

/** A duration of at least a microsecond as whole microseconds; otherwise an error that names it. */
export function wholeMicroseconds(name: string, ms: unknown): number {
  const micros = typeof ms === "number" ? Math.round(ms * 1000) : Number.NaN;
  if (micros >= 1 && micros <= MAX_PERIOD) return micros;
  throw new RangeError(`${name} must be a number of milliseconds from 0.001 to 71 years, but it is ${shown(ms)}.`);
}

/** A value as an error message shows it: short, and telling 3 from "3". */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
