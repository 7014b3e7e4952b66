import { fixedWindow, perPeriod, type Quota, quota } from "../../src/index.ts";
import type { Bound } from "./checker.ts";

/** A limit that is hammered, and what its documentation promises of it. */
export interface Subject {
  readonly quota: Quota;
  readonly bounds: readonly Bound[];
  /** The time for which all processes ask for more than there is must let so many units pass, at the least. */
  readonly leastIn: (spanMs: number) => number;
}

/**
 * Limits with short windows, so that many of them fit into a test.
 *
 * @param size a multiple of their units: shares of a small limit are not worth the trouble
 * @param grainMs how coarsely the store reads the time: two readings may be so much closer than they look
 */
export function subjects(size: number, grainMs = 0): Readonly<Record<string, Subject>> {
  const bound = (windowMs: number, units: number): Bound => ({ windowMs: windowMs - grainMs, units: units * size });
  return {
    sliding: {
      quota: perPeriod(200 * size, 500),
      bounds: [bound(500, 200), bound(1000, 400)],
      leastIn: (spanMs) => 200 * size * Math.floor(spanMs / 500 - 1),
    },
    bucket: {
      quota: perPeriod(120 * size, 300, { burst: 60 * size }),
      bounds: [50, 300, 1000].map((windowMs) => bound(windowMs, Math.floor(60 + (120 / 300) * windowMs))),
      leastIn: (spanMs) => size * (120 / 300) * spanMs - 60 * size,
    },
    fixed: {
      quota: quota({
        name: "fixed",
        text: "windows of 400 ms",
        periodMs: 400,
        algorithm: fixedWindow({ limit: 100 * size, periodMs: 400 }),
      }),
      bounds: [bound(400, 200), bound(800, 300)],
      leastIn: (spanMs) => 100 * size * Math.floor(spanMs / 400 - 1),
    },
  };
}

/** Places that are fought for, and how long they outlive their holder. */
export const PLACES = { limit: 5, leaseMs: 250 } as const;

/** Calls of one process that are under way at the same time. */
export const LINES = 4;
