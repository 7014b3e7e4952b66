import { wholeNumber } from "../../algorithms/numbers.ts";
import { milliseconds } from "../../limiter/duration.ts";
import { matcherOf, type Pattern } from "../../policy/pattern.ts";

/**
 * When a tool that is called again and again with the same arguments, and answers the same each time, is a loop.
 *
 * As soon as an answer differs it is none: who polls until something has happened is not in a loop when it happens.
 */
export interface LoopOptions {
  /** After so many equal answers the next call is not run: the model is told once that it repeats itself. From 2. @default 3 */
  readonly warnAfter?: number;
  /** After so many each call waits first: `slowMs`, then twice as long, up to 10 s. @default 5 */
  readonly slowAfter?: number;
  /** After so many calls are refused. @default 8 */
  readonly stopAfter?: number;
  /** @default 1_000 */
  readonly slowMs?: number;
  /** So long a stopped call is refused; then one is let through, to see whether anything has changed. @default 60_000 */
  readonly stopMs?: number;
  /** A call that was not made for so long begins anew. @default 300_000 */
  readonly forgetMs?: number;
  /** Tools that may repeat themselves: `["get_status", "poll_*"]`. @default none */
  readonly allow?: Pattern;
}

export interface LoopSettings extends Required<Omit<LoopOptions, "allow">> {
  isAllowed(tool: string): boolean;
}

/** @throws RangeError, TypeError for options that cannot be. */
export function loopSettings(given: true | LoopOptions): LoopSettings {
  const options = given === true ? {} : given;
  const { warnAfter = 3, slowAfter = 5, stopAfter = 8, slowMs = 1_000, stopMs = 60_000, forgetMs = 300_000 } = options;
  wholeNumber("loops.warnAfter", warnAfter, 2);
  wholeNumber("loops.slowAfter", slowAfter, warnAfter);
  wholeNumber("loops.stopAfter", stopAfter, slowAfter);
  milliseconds("loops.slowMs", slowMs, 0);
  milliseconds("loops.stopMs", stopMs, 0);
  milliseconds("loops.forgetMs", forgetMs, 1);
  const allowed = options.allow === undefined ? undefined : matcherOf("loops.allow", options.allow);
  return {
    warnAfter,
    slowAfter,
    stopAfter,
    slowMs,
    stopMs,
    forgetMs,
    isAllowed: (tool) => allowed?.matches(tool) ?? false,
  };
}
