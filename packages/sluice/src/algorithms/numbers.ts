/** `value`, when it is a safe integer of at least `least`; otherwise an error that names both. */
export function wholeNumber(name: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw new RangeError(`${name} must be a whole number of at least ${least}, but it is ${shown(value)}.`);
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
