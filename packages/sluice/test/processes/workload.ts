import { fixedWindow, perPeriod, type Quota, quota } from "../../src/index.ts";
import type { Bound } from "./checker.ts";

/** A limit that is hammered, and what its documentation promises of it. */
export interface Subject {
  readonly quota: Quota;
  readonly bounds: readonly Bound[];
  /** The time for which all processes ask for more than there is must let so many units pass, at the least. */
  readonly leastIn: (spanMs: number) => number;
}

/** How a store is hammered. */
export interface Load {
  /** A multiple of the units of every limit: shares of a small limit are not worth the trouble. */
  readonly size: number;
  /** A multiple of all periods: shares of a short period are used up before they are there. */
  readonly stretch: number;
}

/**
 * Limits with short windows, so that many of them fit into a test.
 *
 * @param grainMs how coarsely the store reads the time: two readings may be so much closer than they look
 */
export function subjects({ size, stretch }: Load, grainMs = 0): Readonly<Record<string, Subject>> {
  const bound = (windowMs: number, units: number): Bound => ({
    windowMs: windowMs * stretch - grainMs,
    units: Math.floor(units * size),
  });
  const [sliding, bucket, fixed] = [500 * stretch, 300 * stretch, 400 * stretch];
  return {
    sliding: {
      quota: perPeriod(200 * size, sliding),
      bounds: [bound(500, 200), bound(1000, 400)],
      leastIn: (spanMs) => 200 * size * Math.floor(spanMs / sliding - 1),
    },
    bucket: {
      quota: perPeriod(120 * size, bucket, { burst: 60 * size }),
      bounds: [50, 300, 1000].map((windowMs) => bound(windowMs, 60 + (120 / 300) * windowMs)),
      leastIn: (spanMs) => 120 * size * (spanMs / bucket) - 60 * size,
    },
    fixed: {
      quota: quota({
        name: "fixed",
        text: `windows of ${fixed} ms`,
        periodMs: fixed,
        algorithm: fixedWindow({ limit: 100 * size, periodMs: fixed }),
      }),
      bounds: [bound(400, 200), bound(800, 300)],
      leastIn: (spanMs) => 100 * size * Math.floor(spanMs / fixed - 1),
    },
  };
}

/** Places that are fought for, and how long they outlive their holder. */
export const PLACES = { limit: 5, leaseMs: 250 } as const;

/** Calls of one process that are under way at the same time. */
export const LINES = 4;
