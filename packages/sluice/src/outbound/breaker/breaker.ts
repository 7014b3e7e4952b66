import { isolated } from "../../limiter/events.ts";
import { type BreakerFacts, type BreakerPhase, isFacts, joinFacts } from "./facts.ts";
import { type BreakerChange, type BreakerOptions, breakerOptions } from "./options.ts";
import { createProbes } from "./probes.ts";
import { LastingTally, RollingTally, type Tally } from "./tally.ts";
import type { Verdict } from "./verdict.ts";

/** A call that may be made: to be settled once. */
export interface Admission {
  readonly pass: true;
  readonly generation: number;
  readonly isProbe: boolean;
}

/** A call that must not be made. */
interface Refusal {
  readonly pass: false;
  /** When it is worth asking again, from now. While probes are under way it may be too early, but is never too late. */
  readonly retryAfterMs: number;
}

/** A breaker, as people look at it. */
export interface BreakerState {
  readonly state: BreakerPhase;
  readonly generation: number;
  /** The part of `calls` that failed. While it is open: what it was when it opened. 0 without calls. */
  readonly failureRate: number;
  /** The part of `calls` that was slow. */
  readonly slowRate: number;
  /** Calls that count: of the window, or probes. */
  readonly calls: number;
  /** When it becomes half-open. Undefined unless it is open. */
  readonly openUntilMs?: number;
}

/**
 * A circuit breaker: keeps calls away from an upstream that fails, and lets a few try from time to time whether it
 * is back. It has no timer: all times come in, in milliseconds of one monotonic clock.
 */
export interface Breaker {
  admit(nowMs: number): Admission | Refusal;
  /**
   * A call that was admitted ended. Every admission is settled once; one whose call was not made or was cancelled
   * with `neither`. What began in another generation does not count.
   */
  settle(admission: Admission, verdict: Verdict, durationMs: number, nowMs: number): void;
  state(nowMs: number): BreakerState;
  /** What to tell other processes. */
  facts(nowMs: number): BreakerFacts;
  /**
   * Hear what another process told. Old news changes nothing, and nonsense does not either.
   *
   * @returns whether the other one is behind and should be told. A process that has just started must be: it counts
   *   its generations from 0, and nobody would believe it. Who answers only those that are behind ends the talk.
   */
  adopt(facts: BreakerFacts, nowMs: number): boolean;
}

/**
 * A breaker that is closed.
 *
 * Closed, it opens when at least `minimumCalls` of the window ended and the part that failed reaches `failureRate`, or
 * the part that was slow `slowRate`. Open, it becomes half-open by time. Half-open, it admits `probes` calls, and by
 * the same rates it opens or closes, as soon as the probes that are left could not change it. Each process
 * counts its own calls and admits its own probes; states are what they tell each other.
 *
 * @throws RangeError for options that cannot be.
 */
export function createBreaker(options: BreakerOptions = {}): Breaker {
  const settings = breakerOptions(options);
  const tell = settings.onChange && isolated("onChange of a circuit breaker", settings.onChange);
  const probes = createProbes(settings.probeTimeoutMs);
  let state: BreakerPhase = "closed";
  let generation = 0;
  let pass: Admission = { pass: true, generation, isProbe: false };
  let tally: Tally = new RollingTally(settings.windowMs);
  let openUntilMs = 0;
  /** How often it opened since it was closed. */
  let openings = 0;

  function enter(next: BreakerPhase, inGeneration: number, cause: BreakerChange["cause"], nowMs: number): void {
    const from = state;
    const last = tally;
    tally = next === "closed" ? new RollingTally(settings.windowMs) : new LastingTally();
    if (next === "open") {
      const failures = last.failures(nowMs);
      tally.add(last.calls(nowMs) - failures, failures, last.slow(nowMs), nowMs);
    }
    if (next === "closed") openings = 0;
    state = next;
    generation = inGeneration;
    pass = { pass: true, generation, isProbe: false };
    probes.clear();
    if (from === next) return;
    tell?.({ from, to: next, generation, cause, openForMs: next === "open" ? openUntilMs - nowMs : 0 });
  }

  function open(nowMs: number): void {
    const { openMs, maxOpenMs, openJitter, random } = settings;
    const forMs = Math.min(maxOpenMs, openMs * 2 ** Math.min(openings, 60));
    openings++;
    openUntilMs = nowMs + forMs * (1 + openJitter * random());
    enter("open", generation + 1, "outcomes", nowMs);
  }

  /** Time alone ends the open state. */
  function advance(nowMs: number): void {
    if (state === "open" && nowMs >= openUntilMs) enter("half-open", generation + 1, "time", nowMs);
  }

  function isOver(failures: number, slow: number, calls: number): boolean {
    return failures / calls >= settings.failureRate || slow / calls >= settings.slowRate;
  }

  function count(moreSuccesses: number, moreFailures: number, moreSlow: number, nowMs: number): void {
    tally.add(moreSuccesses, moreFailures, moreSlow, nowMs);
    const calls = tally.calls(nowMs);
    const failures = tally.failures(nowMs);
    const slow = tally.slow(nowMs);
    if (state === "closed") {
      if (calls >= settings.minimumCalls && isOver(failures, slow, calls)) open(nowMs);
      return;
    }
    const all = Math.max(calls, settings.probes);
    const left = all - calls;
    if (isOver(failures, slow, all)) open(nowMs);
    else if (!isOver(failures + left, slow + left, all)) enter("closed", generation + 1, "outcomes", nowMs);
  }

  function admitProbe(nowMs: number): Admission | Refusal {
    if (tally.calls(nowMs) + probes.count(nowMs) < settings.probes) return probes.start(generation, nowMs);
    return { pass: false, retryAfterMs: Math.min(settings.openMs, probes.freeAtMs() - nowMs) };
  }

  function factsAt(nowMs: number): BreakerFacts {
    advance(nowMs);
    return { generation, state, openForMs: state === "open" ? openUntilMs - nowMs : 0 };
  }

  return {
    admit(nowMs) {
      advance(nowMs);
      if (state === "closed") return pass;
      return state === "open" ? { pass: false, retryAfterMs: openUntilMs - nowMs } : admitProbe(nowMs);
    },

    settle(admission, verdict, durationMs, nowMs) {
      if (admission.isProbe && !probes.end(admission)) return;
      advance(nowMs);
      const isCurrent = admission.generation === generation && admission.isProbe === (state === "half-open");
      if (!isCurrent || state === "open" || verdict === "neither") return;
      const failures = verdict === "failure" ? 1 : 0;
      const slow = durationMs > settings.slowMs ? 1 : 0;
      count(1 - failures, failures, slow, nowMs);
    },

    state(nowMs) {
      advance(nowMs);
      const calls = tally.calls(nowMs);
      return {
        state,
        generation,
        failureRate: calls === 0 ? 0 : tally.failures(nowMs) / calls,
        slowRate: calls === 0 ? 0 : tally.slow(nowMs) / calls,
        calls,
        ...(state === "open" && { openUntilMs }),
      };
    },

    facts: factsAt,

    adopt(theirs, nowMs) {
      const ours = factsAt(nowMs);
      if (!isFacts(theirs)) return false;
      const isSame = theirs.state === ours.state && theirs.generation === ours.generation;
      if (joinFacts(ours, theirs) === ours) return !isSame;
      const longestMs = settings.maxOpenMs * (1 + settings.openJitter);
      if (theirs.state === "open") openUntilMs = nowMs + Math.min(longestMs, theirs.openForMs);
      if (isSame) return false;
      if (theirs.state === "open") openings++;
      enter(theirs.state, theirs.generation, "adopted", nowMs);
      return false;
    },
  };
}
