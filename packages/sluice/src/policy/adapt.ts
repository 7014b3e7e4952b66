import { shown } from "../algorithms/numbers.ts";
import type { Clock } from "../limiter/clock.ts";
import type { McpCall } from "./call.ts";

/**
 * Lowers a limit while the server that the calls go to is slow or fails, and raises it again step by step: additive increase,
 * multiplicative decrease (AIMD), as TCP does it.
 */
export interface AdaptOptions {
  /** An answer that takes longer is slow. In milliseconds. @default none is: only failures count */
  readonly slowMs?: number;
  /** This part of the answers may be slow or failures. @default 0.1 */
  readonly tolerate?: number;
  /** The limit is never lowered below this part of it. @default 0.1 */
  readonly least?: number;
  /** How often it is looked at, in milliseconds. @default 10_000 */
  readonly everyMs?: number;
}

/** What part of a limit holds now. Known to this process alone: it is what this process hears of the server. */
export interface Adaptation {
  /** 1: all of it. */
  readonly level: number;
  /** What a call takes now: on average `cost / level`, in whole units. The same for one call however often it is asked. */
  costOf(call: McpCall, cost: number): number;
  saw(durationMs: number, isFailure: boolean): void;
  /** The server asks for rest: as little as there may be for so long. In milliseconds. */
  rest(forMs: number): void;
}

const DECREASE = 0.7;
const INCREASE = 0.05;
/** From fewer answers nothing is learned. */
const FEWEST = 5;
/** A server that asks for more rest is asked again after this long, in milliseconds. */
const LONGEST_REST_MS = 60_000;

/**
 * @param changed hears of every new level
 * @throws RangeError, TypeError for what cannot be
 */
export function adaptation(options: true | AdaptOptions, clock: Clock, changed: (level: number) => void): Adaptation {
  const { slowMs, tolerate, least, everyMs } = checked(options === true ? {} : options);
  /** In microseconds. */
  const every = everyMs * 1000;
  let level = 1;
  let since = clock.elapsed();
  let restsUntil = 0;
  let [answers, bad] = [0, 0];
  /** What calls have been charged too little so far, because they take whole units. */
  let owed = 0;
  const costs = new WeakMap<McpCall, number>();

  function become(next: number): void {
    const before = level;
    level = Math.min(1, Math.max(least, Math.round(next * 100) / 100));
    if (level !== before) changed(level);
  }

  function look(): void {
    const now = clock.elapsed();
    if (now < restsUntil) return;
    const windows = Math.floor((now - since) / every);
    if (windows < 1) return;
    const isBad = answers >= FEWEST && bad > answers * tolerate;
    since += windows * every;
    [answers, bad] = [0, 0];
    become(isBad ? level * DECREASE : level + windows * INCREASE);
  }

  return {
    get level() {
      look();
      return level;
    },
    costOf(call, cost) {
      look();
      if (level === 1) return cost;
      let known = costs.get(call);
      if (known === undefined) {
        owed += cost / level;
        // A sum of fractions is a little less than it is.
        known = Math.floor(owed + 1e-9);
        owed -= known;
        costs.set(call, known);
      }
      return known;
    },
    saw(durationMs, isFailure) {
      answers++;
      if (isFailure || durationMs > slowMs) bad++;
      look();
    },
    rest(forMs) {
      const now = clock.elapsed();
      restsUntil = Math.max(restsUntil, now + Math.min(forMs, LONGEST_REST_MS) * 1000);
      since = restsUntil;
      [answers, bad] = [0, 0];
      become(least);
    },
  };
}

function checked(options: AdaptOptions): Required<AdaptOptions> {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`adapt is true or { slowMs, tolerate, least, everyMs }, but it is ${shown(options)}.`);
  }
  const { slowMs = Infinity, tolerate = 0.1, least = 0.1, everyMs = 10_000 } = options;
  const within = (name: string, value: number, from: number, to: number) => {
    if (value >= from && value <= to) return;
    throw new RangeError(`adapt.${name} is a number from ${from} to ${to}, but it is ${shown(value)}.`);
  };
  within("slowMs", slowMs, 1, Infinity);
  within("tolerate", tolerate, 0, 0.99);
  within("least", least, 0.01, 1);
  within("everyMs", everyMs, 100, 3_600_000);
  return { slowMs, tolerate, least, everyMs };
}
