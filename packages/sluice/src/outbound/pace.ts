import { shown } from "../algorithms/numbers.ts";
import type { QueueTerms } from "../limiter/shared-queue.ts";

/**
 * How starts are spread out as a limit nears: `"smooth"`, `"legacy"` (0, 100, 500 and 2000 ms from 0, 0.5, 0.7 and 0.9 of
 * the limit on), or pairs of a used part of the limit and the milliseconds between two starts from there on. Timers are late by a few milliseconds: what started
 * after one does not make those that follow later.
 */
export type Pace = "smooth" | "legacy" | readonly (readonly [used: number, spacingMs: number])[];

const LEGACY: Pace = [
  [0.5, 100],
  [0.7, 500],
  [0.9, 2_000],
];
const MILLION = 1_000_000;
/** Smooth: from half of the limit on, in so many steps, up to the even pace that the limit allows for ever. */
const STEPS = 20;

/**
 * The pace as a shared queue keeps it.
 *
 * @param interval microseconds between two starts at the even pace
 * @throws RangeError for pairs that cannot be
 */
export function toPace(upstream: string, pace: Pace | undefined, interval: number): QueueTerms["pace"] {
  if (pace === undefined) return [];
  if (pace === "smooth") {
    return Array.from({ length: STEPS }, (_, i) => {
      const step = (i + 1) / STEPS;
      return [Math.floor(MILLION * (0.5 + step / 2)), Math.floor(interval * step)] as const;
    });
  }
  const pairs = pace === "legacy" ? LEGACY : pace;
  if (!Array.isArray(pairs)) {
    throw new RangeError(
      `The pace of "${upstream}" is "smooth", "legacy" or a list of pairs, but it is ${shown(pace)}.`,
    );
  }
  return (pairs as readonly unknown[])
    .map((pair) => {
      const [used, spacingMs] = (Array.isArray(pair) ? pair : [undefined, pair]) as [number, number];
      if (!(used >= 0 && used <= 1 && spacingMs >= 0 && spacingMs <= 3_600_000)) {
        throw new RangeError(
          `A pair of a pace is a used part of the limit from 0 to 1 and milliseconds up to an hour, but "${upstream}" has [${shown(used)}, ${shown(spacingMs)}].`,
        );
      }
      return [Math.floor(used * MILLION), Math.round(spacingMs * 1000)] as const;
    })
    .sort(([a], [b]) => a - b);
}
