import { shown } from "../../algorithms/numbers.ts";

export interface CongestionOptions {
  /** What a cut leaves of the rate: more than 0, less than 1. @default 0.7 */
  readonly factor?: number;
  /** The rate is never below this part of the whole: more than 0, at most 1. @default 0.05 */
  readonly floor?: number;
  /** Milliseconds from the last cut until the rate is whole again, at the latest. @default 60_000 */
  readonly recoverMs?: number;
  /** The first pause is at most this long, in milliseconds; each further cut before the recovery doubles it. @default 250 */
  readonly pauseMs?: number;
  /** No pause is longer, in milliseconds. @default 10_000 */
  readonly maxPauseMs?: number;
}

/** The last cut, as plain numbers: it may be kept anywhere. Times are monotonic milliseconds of whoever keeps it. */
export interface CongestionState {
  readonly cutAtMs: number;
  /** The rate right after the cut, as a part of the whole. */
  readonly rate: number;
  /** The rate right before it. */
  readonly peak: number;
  /** Cuts since the rate was last whole. */
  readonly cuts: number;
}

/** What to do about refusals that do not say for how long: the rate is cut and comes back, and there is a short pause. */
export interface Congestion {
  /** A call that was sent at `sentAtMs` was refused. @returns whether that was news: one burst is one cut. */
  cut(sentAtMs: number, nowMs: number): boolean;
  /** The part of the configured rate to use now: more than 0, at most 1. */
  rate(nowMs: number): number;
  /** How long nothing should start after a cut, in milliseconds: drawn anew at each call. 0 if there was none. */
  pauseMs(): number;
  readonly state: CongestionState | undefined;
}

/** The way back from a cut has so many steps, so that a shared limit changes now and then, not all the time. */
const STEPS = 20;

const DEFAULTS = { factor: 0.7, floor: 0.05, recoverMs: 60_000, pauseMs: 250, maxPauseMs: 10_000 };

/**
 * A rate that gives way to refusals without a time: as TCP's CUBIC does (RFC 9438), but back in a bounded time. From
 * the cut, it comes back fast to near where it was, stays about there, and then goes on faster and faster to the
 * whole: there it is after `recoverMs` (after half of that if it was whole before the cut).
 *
 * @throws RangeError for an option that is out of range.
 */
export function createCongestion({
  random = Math.random,
  ...options
}: CongestionOptions & { readonly random?: () => number } = {}): Congestion {
  const settings = checked(options);
  let state: CongestionState | undefined;
  return {
    cut(sentAtMs, nowMs) {
      const next = cutCongestion(state, sentAtMs, nowMs, settings);
      const isNews = next !== state;
      state = next;
      return isNews;
    },
    rate: (nowMs) => rateOf(state, nowMs, settings),
    pauseMs: () => pauseOf(state, random, settings),
    get state() {
      return state;
    },
  };
}

/** The state after a refusal; the same object if its call was sent before the last cut, which has answered it already. */
export function cutCongestion(
  state: CongestionState | undefined,
  sentAtMs: number,
  nowMs: number,
  options: CongestionOptions = {},
): CongestionState {
  if (state !== undefined && sentAtMs <= state.cutAtMs) return state;
  const { factor = DEFAULTS.factor, floor = DEFAULTS.floor } = options;
  const peak = rateOf(state, nowMs, options);
  const cuts = peak === 1 || state === undefined ? 1 : state.cuts + 1;
  return { cutAtMs: Math.max(nowMs, sentAtMs), rate: Math.min(peak, Math.max(floor, peak * factor)), peak, cuts };
}

/** The part of the whole rate to use now. */
export function rateOf(state: CongestionState | undefined, nowMs: number, options: CongestionOptions = {}): number {
  if (state === undefined) return 1;
  const { recoverMs = DEFAULTS.recoverMs } = options;
  const { rate, peak } = state;
  const step = Math.max(0, Math.floor(((nowMs - state.cutAtMs) / recoverMs) * STEPS));
  if (step >= STEPS) return 1;
  // From -1 at the cut over 0, where the rate is what it was, to 1.
  const way = (2 * step) / STEPS - 1;
  return way < 0 ? rate + (peak - rate) * (1 + way ** 3) : Math.min(1, peak + (1 - peak) * way ** 3);
}

/** A pause after the last cut: exponential with full jitter. It has nothing to do with how deep the rate was cut. */
export function pauseOf(
  state: CongestionState | undefined,
  random: () => number,
  options: CongestionOptions = {},
): number {
  if (state === undefined) return 0;
  const { pauseMs = DEFAULTS.pauseMs, maxPauseMs = DEFAULTS.maxPauseMs } = options;
  return Math.min(maxPauseMs, pauseMs * 2 ** (state.cuts - 1)) * random();
}

function checked(options: CongestionOptions): CongestionOptions {
  const { factor, floor, ...times } = { ...DEFAULTS, ...options };
  if (!(factor > 0 && factor < 1)) throw new RangeError(`factor must be between 0 and 1, but it is ${shown(factor)}.`);
  if (!(floor > 0 && floor <= 1))
    throw new RangeError(`floor must be above 0 and at most 1, but it is ${shown(floor)}.`);
  for (const [name, value] of Object.entries(times)) {
    if (value > 0 && value < Infinity) continue;
    throw new RangeError(`${name} must be a finite number of milliseconds above 0, but it is ${shown(value)}.`);
  }
  return options;
}
