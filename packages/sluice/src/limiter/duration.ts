import { shown } from "../algorithms/numbers.ts";

/** Milliseconds of the units in which durations are written. A month has no fixed length. */
const UNITS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ms: 1,
    s: 1_000,
    sec: 1_000,
    second: 1_000,
    seconds: 1_000,
    m: 60_000,
    min: 60_000,
    minute: 60_000,
    minutes: 60_000,
    h: 3_600_000,
    hour: 3_600_000,
    hours: 3_600_000,
    d: 86_400_000,
    day: 86_400_000,
    days: 86_400_000,
    w: 604_800_000,
    week: 604_800_000,
    weeks: 604_800_000,
  }),
);

/** Milliseconds in a duration such as `"90s"`, `"5 min"` or `"day"` (one day); `undefined` if it is not one. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)?\s*([a-z]+)$/.exec(text.trim()) ?? [];
  const unitMs = unit === undefined ? undefined : UNITS.get(unit);
  return unitMs === undefined ? undefined : Number(amount ?? 1) * unitMs;
}

/** A duration in milliseconds, for people: `"90 s"`, `"5 min"`, `"2 h"`. Rounded up to whole seconds. */
export function formatDuration(ms: number): string {
  if (ms === Infinity) return "for ever";
  const seconds = Math.ceil(ms / 1000);
  if (seconds <= 120) return `${seconds} s`;
  if (seconds <= 7200) return `${Math.ceil(seconds / 60)} min`;
  return seconds <= 172_800 ? `${Math.ceil(seconds / 3600)} h` : `${Math.ceil(seconds / 86_400)} days`;
}

/** A period in words: `"second"`, `"10 seconds"`, `"day"`. */
export function periodInWords(ms: number): string {
  for (const unit of ["week", "day", "hour", "minute", "second"]) {
    const amount = ms / UNITS.get(unit)!;
    if (Number.isInteger(amount)) return amount === 1 ? unit : `${amount} ${unit}s`;
  }
  return `${ms} ms`;
}

/** `value`, when it is a number of milliseconds of at least `least`; otherwise an error that names both. */
export function milliseconds(name: string, value: unknown, least: number): number {
  if (typeof value === "number" && value >= least) return value;
  throw new RangeError(`${name} must be a number of milliseconds of at least ${least}, but it is ${shown(value)}.`);
}
