import { shown, wholeNumber } from "../algorithms/numbers.ts";
import type { McpCall } from "./call.ts";

/** A cost that stands in the result: `{ result: "_meta.usage.tokens", per: 1000 }` is one unit for each thousand. */
export interface ResultCost {
  /** Path in the result: `"structuredContent.rows"`, `"_meta.dev.example/usage.tokens"`. Of a list its length counts. */
  readonly result: string;
  /** So much of it is one unit; what is begun counts. @default 1 */
  readonly per?: number;
  /** @default 0 */
  readonly min?: number;
  /** @default no bound */
  readonly max?: number;
}

/**
 * What a call really cost, once its result is known: what was charged too much goes back, what is missing is charged even beyond the
 * limit, because the work has been done. `undefined`, and a result in which nothing is found: what was charged stays.
 */
export type Settle = ResultCost | ((result: unknown, call: McpCall) => number | undefined);

/** @throws RangeError, TypeError for what cannot be. */
export function settlerOf(settle: Settle): (result: unknown, call: McpCall) => number | undefined {
  if (typeof settle === "function") return settle;
  if (typeof settle !== "object" || settle === null || typeof settle.result !== "string" || settle.result === "") {
    throw new TypeError(
      `settle is { result: "path.in.the.result", per, min, max } or a function, but it is ${shown(settle)}.`,
    );
  }
  const { result: path, per = 1, min = 0, max = Infinity } = settle;
  if (!(per > 0 && per < Infinity)) throw new RangeError(`settle.per is a number above 0, but it is ${shown(per)}.`);
  wholeNumber("settle.min", min, 0);
  if (max !== Infinity) wholeNumber("settle.max", max, min);
  return (result) => {
    const amount = amountAt(result, path);
    if (amount === undefined) return undefined;
    return Math.min(Math.max(Math.ceil(amount / per), min), max, Number.MAX_SAFE_INTEGER);
  };
}

/** What stands in a result under a path: a number, or how long a list is. */
export function amountAt(result: unknown, path: string): number | undefined {
  const value = found(result, path);
  const amount = Array.isArray(value) ? value.length : value;
  return typeof amount === "number" && amount >= 0 ? amount : undefined;
}

/** Keys of `_meta` have dots of their own: whatever key fits is taken. */
function found(value: unknown, path: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.hasOwn(value, path)) return value[path as keyof typeof value];
  for (let dot = path.indexOf("."); dot !== -1; dot = path.indexOf(".", dot + 1)) {
    const key = path.slice(0, dot);
    const inner = Object.hasOwn(value, key) ? found(value[key as keyof typeof value], path.slice(dot + 1)) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}
