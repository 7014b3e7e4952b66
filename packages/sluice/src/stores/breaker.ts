import type { Clock } from "../limiter/clock.ts";
import { StoreUnavailableError } from "./errors.ts";

/** What came of a call: `aborted` says nothing about the store. */
type Outcome = "answered" | "failed" | "aborted";

/** Tells the breaker how a call ended; to be called once. */
type Report = (outcome: Outcome, error?: unknown) => void;

/** Keeps calls away from a store that fails, and lets one try from time to time whether it is back. */
export interface Breaker {
  /** Start a call. @throws StoreUnavailableError when it must not be sent. */
  enter(): Report;
}

export interface BreakerOptions {
  readonly clock: Clock;
  /** So many failures in a row open it. `Infinity`: it never opens. */
  readonly breakAfter: number;
}

/** It opens, too, when more than half of so many calls failed within the window. */
const LEAST_CALLS = 20;
const WINDOW = 10_000_000;
const SLOTS = 10;

/** The first pause is 0.5 to 1.5 times this: processes that saw the same outage come back one by one. In milliseconds. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;
/** How long to stay away while a probe is under way. In milliseconds. */
const PROBE_MS = 100;

/** A circuit breaker: closed, open, or open with one probe under way. It has no timer. */
export function breaker({ clock, breakAfter }: BreakerOptions): Breaker {
  let inRow = 0;
  let recent = recentCalls();
  let lastFailure: unknown;
  /** Undefined while closed. */
  let pauseMs: number | undefined;
  let probeAt = 0;
  let isProbing = false;
  /** Calls that were sent before it opened or closed say nothing any more. */
  let era = 0;

  function open(nextPauseMs: number): void {
    era++;
    pauseMs = nextPauseMs;
    probeAt = clock.elapsed() + Math.min(LONGEST_PAUSE_MS, pauseMs * (0.5 + Math.random())) * 1000;
  }

  function close(): void {
    era++;
    pauseMs = undefined;
    inRow = 0;
    recent = recentCalls();
  }

  function watched(): Report {
    const begun = era;
    return (outcome, error) => {
      if (outcome === "aborted" || begun !== era) return;
      const isFailure = outcome === "failed";
      inRow = isFailure ? inRow + 1 : 0;
      recent.add(clock.elapsed(), isFailure);
      if (!isFailure) return;
      lastFailure = error;
      if (inRow >= breakAfter || recent.areMostlyFailures()) open(FIRST_PAUSE_MS);
    };
  }

  function probe(): Report {
    isProbing = true;
    return (outcome, error) => {
      isProbing = false;
      if (outcome === "answered") close();
      if (outcome !== "failed") return;
      lastFailure = error;
      open(Math.min(LONGEST_PAUSE_MS, 2 * pauseMs!));
    };
  }

  return {
    enter() {
      if (breakAfter === Infinity) return () => {};
      if (pauseMs === undefined) return watched();
      const left = Math.ceil((probeAt - clock.elapsed()) / 1000);
      if (left <= 0 && !isProbing) return probe();
      throw new StoreUnavailableError(Math.max(left, PROBE_MS), { cause: lastFailure });
    },
  };
}

/** The calls of the last ten seconds, counted by the second. */
function recentCalls() {
  const seconds = new Array<number>(SLOTS).fill(-1);
  const calls = new Array<number>(SLOTS).fill(0);
  const failures = new Array<number>(SLOTS).fill(0);
  let latest = 0;

  const sum = (counts: readonly number[]): number =>
    counts.reduce((total, count, i) => (seconds[i]! > latest - SLOTS ? total + count : total), 0);

  return {
    add(now: number, isFailure: boolean): void {
      latest = Math.floor(now / (WINDOW / SLOTS));
      const slot = latest % SLOTS;
      if (seconds[slot] !== latest) {
        seconds[slot] = latest;
        calls[slot] = 0;
        failures[slot] = 0;
      }
      calls[slot]!++;
      if (isFailure) failures[slot]!++;
    },
    areMostlyFailures(): boolean {
      const total = sum(calls);
      return total >= LEAST_CALLS && 2 * sum(failures) > total;
    },
  };
}
