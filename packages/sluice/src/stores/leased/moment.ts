import type { Clock } from "../../limiter/clock.ts";

/** One reading of both clocks of this process, in microseconds. */
export interface Moment {
  readonly elapsed: number;
  readonly wall: number;
}

export const momentOf = (clock: Clock): Moment => ({ elapsed: clock.elapsed(), wall: clock.wall() });

/** Clocks of two machines may drift apart by a thousandth: what ends here ends so much sooner. */
const DRIFT = 0.999;

/** How long something that the store holds good for `span` microseconds may be relied on here. */
export const sureOf = (span: number): number => Math.floor(span * DRIFT);

/**
 * Whether less than `span` has passed since: by both clocks, because the monotonic one stands still
 * while the machine sleeps. If the time on the wall was set by more than the span, nobody knows.
 */
export function isWithin(span: number, since: Moment, now: Moment): boolean {
  const onTheWall = now.wall - since.wall;
  return now.elapsed - since.elapsed < span && onTheWall < span && onTheWall > -span;
}
