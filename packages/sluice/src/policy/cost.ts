import { shown, wholeNumber } from "../algorithms/numbers.ts";
import type { McpCall } from "./call.ts";
import { valueAt } from "./key.ts";

/** A cost that a call names in its arguments: `{ argument: "limit", per: 100 }` is one unit for each hundred. */
export interface ArgumentCost {
  /** Path in the arguments: `"limit"`, `"page.size"`. */
  readonly argument: string;
  /** So much of it is one unit; what is begun counts. @default 1 */
  readonly per?: number;
  /** @default 1 */
  readonly min?: number;
  /** @default no bound: a call that asks for more than the limit can ever give is told so */
  readonly max?: number;
  /** Of a call whose argument is missing or no number. @default min */
  readonly otherwise?: number;
}

/** Units that a call takes: a number, one for each tool (`"*"`: all others), by an argument, or what a function says. */
export type Cost = number | Readonly<Record<string, number>> | ArgumentCost | ((call: McpCall) => number);

/** @throws RangeError, TypeError for what cannot be a cost. */
export function costOf(cost: Cost = 1): (call: McpCall) => number {
  if (typeof cost === "function") return cost;
  if (typeof cost === "number") {
    wholeNumber("cost", cost, 0);
    return () => cost;
  }
  if (typeof cost !== "object" || cost === null) {
    throw new TypeError(`A cost is a whole number, { tool: units } or { argument, per }, but it is ${shown(cost)}.`);
  }
  return isByArgument(cost) ? byArgument(cost) : byTool(cost);
}

const isByArgument = (cost: ArgumentCost | Readonly<Record<string, number>>): cost is ArgumentCost =>
  typeof cost.argument === "string";

function byTool(costs: Readonly<Record<string, number>>): (call: McpCall) => number {
  const units = new Map(Object.entries(costs));
  for (const [tool, cost] of units) wholeNumber(`cost.${tool}`, cost, 0);
  const others = units.get("*") ?? 1;
  return ({ tool }) => (tool === undefined ? others : (units.get(tool) ?? others));
}

function byArgument({ argument, per = 1, min = 1, max = Infinity, otherwise = min }: ArgumentCost) {
  if (!(per > 0 && per < Infinity)) throw new RangeError(`cost.per is a number above 0, but it is ${shown(per)}.`);
  wholeNumber("cost.min", min, 0);
  wholeNumber("cost.otherwise", otherwise, 0);
  if (max !== Infinity) wholeNumber("cost.max", max, min);
  return ({ params }: McpCall): number => {
    const units = Math.ceil(numberOf(valueAt(params.arguments, argument)) / per);
    if (Number.isNaN(units)) return otherwise;
    return Math.min(Math.max(units, min), max, Number.MAX_SAFE_INTEGER);
  };
}

/** Servers often take a number from a text, too: a client must not get it cheaper that way. */
function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}
