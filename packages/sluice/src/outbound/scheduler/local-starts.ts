import { type Algorithm, Mode, type Verdict } from "../../algorithms/algorithm.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import { cut, FULL_RATE, rateAt, spacing } from "../../limiter/queue-state.ts";
import { type Demand, type Ledger, type Line, ledger, type SyncStore } from "../../limiter/store.ts";
import { type Limit, rateTerms, remembersEnds, scopeKey, windowOf } from "../limits.ts";
import { alarm } from "./alarm.ts";
import { foresee } from "./foresee.ts";
import { Places } from "./places.ts";
import { NAMELESS, type QueuedCall, type Started, type Units } from "./queued-call.ts";
import type { Running, Starts, StartsOptions, UpstreamLimits } from "./starts.ts";
import { turns } from "./turns.ts";

export interface LocalStartsOptions extends StartsOptions, UpstreamLimits {
  readonly store: SyncStore;
}

/** A limit whose units the store counts. */
interface Window {
  readonly limit: Limit;
  readonly ledger: Ledger;
  /** What is kept, as a quota. */
  readonly quota: Limit["quota"];
}

/** What a call would have to wait for. */
interface Refusal {
  /** All lanes wait so long. */
  readonly forAll: number;
  /** The lane of the call waits so long. */
  readonly forLane: number;
}

const NOTHING: Started = { id: NAMELESS, receipts: [] };
const isTaken = (outcome: Units | Refusal): outcome is Units => typeof outcome === "number" || "receipts" in outcome;

const NEVER = -Infinity;
/** Timers ring so late and not later, unless the process is busy. In microseconds. */
const LATE = 5_000;
const SAME = 20;

/** Starts calls of one process, over a store that decides at once: units are taken at the very moment of the start. */
export function localStarts(options: LocalStartsOptions): Starts {
  const { name, limits, concurrency, pace, timeoutMs, clock, store, lanes, fail } = options;
  const windows: readonly Window[] = limits
    .filter((limit) => !remembersEnds(limit))
    .map((limit) => {
      const algorithm = lateBy(lag(clock, limit), windowOf(limit, timeoutMs));
      return {
        limit,
        ledger: ledger(`outbound/${name}/${limit.name}`, algorithm),
        quota: { ...limit.quota, algorithm, periodMs: periodOf(limit, timeoutMs) },
      };
    });
  const places: readonly Places[] = [
    ...limits
      .filter(remembersEnds)
      .map(({ per, quota }) => new Places(name, per, quota.limit, Math.ceil(quota.periodMs * 1000), false)),
    ...(concurrency === undefined ? [] : [new Places(name, "upstream", concurrency, 0, true)]),
  ];
  const onlyLine: Line | undefined =
    windows.length === 1 && windows[0]!.limit.per === "upstream" ? store.line(windows[0]!.ledger) : undefined;
  const terms = { ...rateTerms(limits), pace };
  const rate = { cutAt: 0, cutTo: FULL_RATE };
  let pausedUntil = NEVER;
  let notBefore = NEVER;
  let restsUntil = NEVER;
  /** Who is next, and was refused until then. */
  let restsFor: QueuedCall | undefined;
  const wakeUp = alarm(clock, () => {
    restsUntil = NEVER;
    pump();
  });
  const turn = turns();

  function demandsOf(lane: string, cost: number): Demand[] {
    return windows.map(({ limit, ledger }) => ({ ledger, key: scopeKey(limit.per, name, lane), cost }));
  }

  function heldUp(lane: string, cost: number, now: number): Refusal | undefined {
    let forAll = Math.max(0, pausedUntil - now, notBefore - now);
    let forLane = 0;
    for (const one of places) {
      const free = one.wait(lane, cost, now);
      if (one.per === "upstream") forAll = Math.max(forAll, free);
      else forLane = Math.max(forLane, free);
    }
    return forAll > 0 || forLane > 0 ? { forAll, forLane } : undefined;
  }

  /** Take all units of a call, or none. */
  function take(lane: string, cost: number, now: number): Units | Refusal {
    if (pausedUntil !== NEVER || notBefore !== NEVER || places.length > 0) {
      const refusal = heldUp(lane, cost, now);
      if (refusal !== undefined) return refusal;
    }
    let units: Units = NOTHING;
    if (onlyLine !== undefined) {
      // To read the clock takes as long as to decide.
      const verdict = onlyLine.take(name, cost, now);
      if (!verdict.allowed) return { forAll: verdict.retryAfter, forLane: 0 };
      units = verdict.receipt;
      keepPace(verdict.remaining, windows[0]!.quota.limit);
    } else if (windows.length > 0) {
      const taken = store.take(demandsOf(lane, cost));
      let forAll = 0;
      let forLane = 0;
      let [remaining, limit] = [Infinity, 1];
      taken.forEach((one, i) => {
        if (windows[i]!.limit.per === "upstream") forAll = Math.max(forAll, one.retryAfter);
        else forLane = Math.max(forLane, one.retryAfter);
        const most = windows[i]!.quota.limit;
        if (one.remaining * limit < remaining * most) [remaining, limit] = [one.remaining, most];
      });
      if (forAll > 0 || forLane > 0) return { forAll, forLane };
      units = { id: NAMELESS, receipts: taken.map(({ receipt }) => receipt) };
      keepPace(remaining, limit);
    } else {
      keepPace(1, 1);
    }
    for (const one of places) one.start(lane, cost);
    return units;
  }

  function keepPace(remaining: number, limit: number): void {
    if (pace.length === 0 && rate.cutTo === FULL_RATE) return;
    const now = clock.elapsed();
    // Timers are late by a little: what starts after one does not make all that follow later. Longer delays are not made up for.
    const due = now - notBefore <= LATE ? notBefore : now;
    notBefore = due + spacing(terms, rate, now, remaining, limit);
  }

  function pump(): void {
    for (;;) {
      const now = clock.elapsed();
      const call = lanes.first(now);
      restsFor = call;
      if (call === undefined) {
        rest(lanes.size > 0 ? lanes.backAt : Infinity);
        return;
      }
      if (turn.isOver()) {
        turn.goOn(pump);
        return;
      }
      // Timers that are late make no call late, but a process that stood still does.
      if (call.deadline < now - LATE) {
        fail(call, "deadline");
        return;
      }
      const outcome = take(call.lane, call.cost, now);
      if (isTaken(outcome)) {
        lanes.serve(call);
        call.start(outcome, now);
      } else if (outcome.forLane > outcome.forAll) {
        // A lane that waits for calls to end is looked at again when one does.
        lanes.putAside(now + outcome.forLane);
      } else {
        rest(now + outcome.forAll);
        return;
      }
    }
  }

  function rest(until: number): void {
    // The clock goes on between two readings: the same moment is found a little sooner or later.
    if (Math.abs(until - restsUntil) <= SAME) return;
    restsUntil = until;
    if (until === Infinity) wakeUp.cancel();
    else wakeUp.set(until);
  }

  function peek({ ledger, limit }: Window, lane: string, cost: number): Verdict {
    return store.take([{ ledger, key: scopeKey(limit.per, name, lane), cost }], { mode: Mode.peek })[0]!;
  }

  /** Returns the receipt. */
  function force({ ledger, limit }: Window, lane: string, cost: number, receipt = 0): number {
    if (cost === 0) return receipt;
    const demand = { ledger, key: scopeKey(limit.per, name, lane), cost, receipt };
    return store.take([demand], { mode: Mode.force })[0]!.receipt;
  }

  function freed({ lane, cost, charged = cost }: Running, how: "undo" | "end"): void {
    if (places.length === 0) return;
    const now = clock.elapsed();
    for (const one of places) one[how](lane, charged, now);
    more();
  }

  /** There is more than there was: whoever stood aside may start now. */
  function more(): void {
    if (lanes.size === 0) return;
    lanes.bringBack();
    pump();
  }

  return {
    isAlone: true,
    take: (lane, cost, now) => {
      const outcome = take(lane, cost, now);
      return isTaken(outcome) ? outcome : undefined;
    },
    ...(windows.length > 0 && {
      mayLag: Math.min(...windows.map(({ limit }) => lag(clock, limit))),
      restamp({ lane, cost, started }) {
        const receipts = windows.map((window, i) => {
          force(window, lane, -cost, started.receipts[i]);
          return force(window, lane, cost);
        });
        return { id: NAMELESS, receipts };
      },
    }),
    pump,
    left: () => {
      if (lanes.size === 0) rest(Infinity);
      else if (lanes.first(clock.elapsed()) !== restsFor) pump();
    },
    unused(call) {
      windows.forEach((window, i) => {
        force(window, call.lane, -call.cost, call.started.receipts[i]);
      });
      freed(call, "undo");
      more();
    },
    ended: (call) => freed(call, "end"),
    correct({ lane, started, isOver = false }, units) {
      for (const one of places) one.correct(lane, units, isOver, clock.elapsed());
      windows.forEach((window, i) => {
        force(window, lane, units, units < 0 ? started.receipts[i] : 0);
      });
      if (units < 0) more();
    },
    noticed(limit, { lane }, _left, elsewhere = 0) {
      const window = windows.find((one) => one.limit.name === limit);
      if (window === undefined) return 0;
      force(window, lane, elsewhere);
      return elsewhere;
    },
    pause(forUs) {
      pausedUntil = Math.max(pausedUntil, clock.elapsed() + forUs);
    },
    cut: (agoUs) => cut(terms, rate, clock.elapsed() - agoUs, clock.elapsed()),
    tell() {},
    soonest(lane, cost, ahead) {
      const now = clock.elapsed();
      const from = Math.max(0, pausedUntil - now, notBefore - now);
      const waits = windows.map((window) => {
        const total = window.limit.per === "upstream" ? ahead + cost : cost;
        return foresee(window.quota, total, (units) => peek(window, lane, units), from);
      });
      const free = places.map((one) => one.soonest(lane, one.per === "upstream" ? ahead + cost : cost, now));
      return Math.max(from, ...waits, ...free);
    },
    aheadElsewhere: 0,
    asking: 0,
    asked: () => [],
    aheadOf: () => 0,
    trouble: undefined,
    get rate() {
      return rateAt(terms, rate, clock.elapsed()) / FULL_RATE;
    },
    get pausedUntil() {
      return pausedUntil;
    },
    get isNeeded() {
      const now = clock.elapsed();
      const isSlow = pausedUntil > now || notBefore > now || rateAt(terms, rate, now) < FULL_RATE;
      return isSlow || places.some((one) => one.isUsed(now));
    },
    close: () => wakeUp.cancel(),
  };
}

/**
 * Between the moment when the units are taken and that of the start lie a few steps of this process. They take next to
 * nothing, but not nothing: in real time windows count with this part of their period, and with no more than this.
 */
const LAG_PART = 500;
const LAG_AT_MOST = 2_000;

function lag(clock: Clock, { quota }: Limit): number {
  return clock === systemClock ? Math.min(LAG_AT_MOST, Math.floor((quota.periodMs * 1000) / LAG_PART)) : 0;
}

const lateBy = (by: number, algorithm: Algorithm): Algorithm =>
  by === 0 ? algorithm : (algorithm.usedLate?.(by).algorithm ?? algorithm);

function periodOf({ anchor, quota }: Limit, timeoutMs: number): number {
  return anchor === "end" ? quota.periodMs + timeoutMs : quota.periodMs;
}
