import { shown, wholeNumber } from "../../algorithms/numbers.ts";
import { milliseconds } from "../../limiter/duration.ts";
import type { BreakerPhase } from "./facts.ts";

export interface BreakerOptions {
  /** It opens when this part of the calls failed: above 0, up to 1. @default 0.5 */
  readonly failureRate?: number;
  /** A call that takes longer is slow, whether it fails or not. In milliseconds. Without it no call is slow. */
  readonly slowMs?: number | undefined;
  /** It opens when this part of the calls was slow: above 0, up to 1. @default 1 */
  readonly slowRate?: number;
  /** Fewer calls in the window say nothing. @default 10 */
  readonly minimumCalls?: number;
  /** The outcomes of this time count. In milliseconds. @default 10_000 */
  readonly windowMs?: number;
  /** How long it is open the first time; twice as long each time that the probes fail. In milliseconds. @default 5_000 */
  readonly openMs?: number;
  /** It is open no longer than this, jitter aside. In milliseconds. @default 60_000 */
  readonly maxOpenMs?: number;
  /** The part of that time which may be added to it, so that not all processes come back at once. @default 0.2 */
  readonly openJitter?: number;
  /** So many calls pass while it is half-open; their outcomes decide. @default 3 */
  readonly probes?: number;
  /** A probe that has not ended after this time no longer keeps others from passing. In milliseconds. @default 30_000 */
  readonly probeTimeoutMs?: number;
  /** Told of every change of the state, after it. What it throws is reported once, and ignored. */
  readonly onChange?: (change: BreakerChange) => void;
  /** Numbers from 0 to below 1. @default Math.random */
  readonly random?: () => number;
}

/** A change of a breaker's state. */
export interface BreakerChange {
  readonly from: BreakerPhase;
  readonly to: BreakerPhase;
  readonly generation: number;
  /** Outcomes of calls; time that went by; or another process that knew more. */
  readonly cause: "outcomes" | "time" | "adopted";
  /** How long it stays open, from now in milliseconds. 0 unless it opened. */
  readonly openForMs: number;
}

/** The options with all defaults. @throws RangeError for what cannot be. */
export function breakerOptions(options: BreakerOptions) {
  const {
    failureRate = 0.5,
    slowMs,
    slowRate = 1,
    minimumCalls = 10,
    windowMs = 10_000,
    openMs = 5_000,
    maxOpenMs = 60_000,
    openJitter = 0.2,
    probes = 3,
    probeTimeoutMs = 30_000,
    onChange,
    random = Math.random,
  } = options;
  rate("failureRate", failureRate);
  rate("slowRate", slowRate);
  if (slowMs !== undefined) milliseconds("slowMs", slowMs, 0);
  wholeNumber("minimumCalls", minimumCalls, 1);
  milliseconds("windowMs", windowMs, 1);
  milliseconds("openMs", openMs, 1);
  milliseconds("maxOpenMs", maxOpenMs, openMs);
  if (!(openJitter >= 0 && openJitter <= 1)) {
    throw new RangeError(`openJitter must be a number from 0 to 1, but it is ${shown(openJitter)}.`);
  }
  wholeNumber("probes", probes, 1);
  milliseconds("probeTimeoutMs", probeTimeoutMs, 1);
  return {
    failureRate,
    slowMs: slowMs ?? Infinity,
    // Where no call is slow, others' slow calls do not count either.
    slowRate: slowMs === undefined ? Infinity : slowRate,
    minimumCalls,
    windowMs,
    openMs,
    maxOpenMs,
    openJitter,
    probes,
    probeTimeoutMs,
    onChange,
    random,
  };
}

function rate(name: string, value: number): void {
  if (!(value > 0 && value <= 1)) {
    throw new RangeError(`${name} must be a number above 0 and up to 1, such as 0.5, but it is ${shown(value)}.`);
  }
}
