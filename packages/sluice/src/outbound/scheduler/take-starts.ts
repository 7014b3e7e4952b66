import { Mode } from "../../algorithms/algorithm.ts";
import { leaseName } from "../../limiter/concurrency-limiter.ts";
import { cut, FULL_RATE, rateAt, spacing } from "../../limiter/queue-state.ts";
import { guarded } from "../../limiter/reply.ts";
import { demandsOf, type QueueTerms } from "../../limiter/shared-queue.ts";
import type { Awaitable, Demand, Store, Taken } from "../../limiter/store.ts";
import { alarm } from "./alarm.ts";
import { type PlaceRenewal, placeRenewal } from "./place-renewal.ts";
import type { QueuedCall } from "./queued-call.ts";
import { soonestOf } from "./soonest.ts";
import { startable } from "./startable.ts";
import type { Running, Starts, StartsOptions, UpstreamLimits } from "./starts.ts";
import { usedElsewhere } from "./used-elsewhere.ts";

export interface TakeStartsOptions extends StartsOptions, UpstreamLimits {
  readonly terms: QueueTerms;
  readonly store: Store;
  /** What else starts calls, if it does now. @default nothing */
  readonly instead?: () => Pick<Starts, "pump"> | undefined;
  /** Holds on places, for whoever starts calls. @default one of its own */
  readonly renewal?: PlaceRenewal;
}

/** A store that failed is asked again after so long, and then after twice as long each time. In microseconds. */
const ASK_AGAIN = 100_000;
const ASK_AGAIN_AT_MOST = 2_000_000;
/** Nobody says that a place is free again that another process had: look after so long, and then after twice as long each time. */
const LOOK_AGAIN = 50_000;
const LOOK_AGAIN_AT_MOST = 1_000_000;
/** So much of what the store did not hear is said again. */
const MOST_UNSAID = 1_000;

/**
 * Starts calls over a store that has to be asked, and keeps no queue: the next call asks for its units, and if they are
 * not there it asks again when they will be. Processes do not stand in one line, but none asks before it is worth it.
 */
export function takeStarts(options: TakeStartsOptions): Starts {
  const { terms, limits, late, troubled, store, lanes, clock, fail, instead } = options;
  const pauseOf = (cost: number): Demand => ({ ledger: terms.pause, key: terms.name, tag: terms.name, cost });
  const hasPlaces = terms.rules.some(({ isPlace }) => isPlace);
  const rate = { cutAt: 0, cutTo: FULL_RATE };
  const wakeUp = alarm(clock, () => pump());
  const renewal = options.renewal ?? placeRenewal(clock, (running) => send(running.flatMap((one) => placesOf(one, 1))));
  const elsewhere = usedElsewhere(terms, clock);
  /** Places that were given back, and the store did not hear of it. */
  const unsaid: Demand[] = [];
  let asking: QueuedCall | undefined;
  /** Until when the store, or the limits of all, let nobody start. */
  let restUntil = -Infinity;
  let isForPlace = false;
  let spacedUntil = -Infinity;
  let pausedUntil = -Infinity;
  let nextAt = -Infinity;
  let look = LOOK_AGAIN;
  let again = ASK_AGAIN;
  let trouble: unknown;
  let isClosed = false;

  /** The places of a call, to be taken, held on or (with -1) given back. */
  function placesOf({ lane, cost, started }: Running, sign: 1 | -1): readonly Demand[] {
    return demandsOf(terms, { id: started.id, lane, cost }).flatMap((demand, i) => {
      const { isPlace, afterEnd } = terms.rules[i]!;
      if (!isPlace) return [];
      if (sign === -1 && afterEnd !== undefined) return [{ ...demand, ledger: afterEnd }];
      return [{ ...demand, cost: sign * demand.cost }];
    });
  }

  /** What has happened is told to the store. If it does not hear, places go back later: they have names. */
  function send(demands: readonly Demand[]): void {
    for (const demand of demands) {
      if (demand.cost === 0) continue;
      guarded(
        async () => {
          await store.take([demand], { mode: Mode.force });
        },
        () => {
          if (demand.ledger.algorithm.name === "concurrency" && unsaid.length < MOST_UNSAID) unsaid.push(demand);
        },
      );
    }
  }

  function pump(): void {
    if (asking !== undefined || isClosed) return;
    const other = instead?.();
    if (other !== undefined) {
      // Whoever asked here until now, and has to wait, waits there: nobody stands aside.
      lanes.bringBack();
      if (lanes.size > 0) other.pump();
      return;
    }
    const now = clock.elapsed();
    const until = Math.max(restUntil, spacedUntil, pausedUntil);
    if (until > now) {
      if (lanes.size > 0) wakeUp.set(until);
      return;
    }
    const call = lanes.first(now);
    if (call === undefined) {
      if (lanes.size > 0) wakeUp.set(lanes.backAt);
      else wakeUp.cancel();
      return;
    }
    lanes.serve(call);
    call.isWaiting = true;
    call.ticket = leaseName();
    asking = call;
    ask(call, call.ticket, now);
  }

  function ask(call: QueuedCall, id: number, sentAt: number): void {
    const demands = demandsOf(terms, { id, lane: call.lane, cost: call.cost });
    const done = (): void => {
      asking = undefined;
      call.ticket = 0;
    };
    guarded(
      async () => {
        const taken = await (store.take([...demands, pauseOf(1)]) as Awaitable<readonly Taken[]>);
        trouble = undefined;
        again = ASK_AGAIN;
        done();
        send(unsaid.splice(0));
        answered(call, id, sentAt, demands, taken);
        pump();
      },
      (error) => {
        if (trouble === undefined && instead === undefined) troubled(error);
        trouble = error;
        done();
        backInLine(call);
        // It may have been heard all the same, and holds places that nobody uses.
        const held = demands.filter((_, i) => terms.rules[i]!.isPlace);
        if (unsaid.length < MOST_UNSAID) unsaid.push(...held.map((demand) => ({ ...demand, cost: -demand.cost })));
        rest(clock.elapsed() + again, false);
        again = Math.min(ASK_AGAIN_AT_MOST, again * 2);
        pump();
      },
    );
  }

  function answered(
    call: QueuedCall,
    id: number,
    sentAt: number,
    demands: readonly Demand[],
    taken: readonly Taken[],
  ): void {
    const now = clock.elapsed();
    if (taken.some(({ allowed }) => !allowed)) {
      refused(call, id, now, taken);
      return;
    }
    look = LOOK_AGAIN;
    const receipts = terms.rules.map((_, i) => taken[i]!.receipt);
    const isLate = now - sentAt > startable(usable(taken)) || pausedUntil > now;
    if (isLate || !call.isWaiting) {
      send(demands.map((demand, i) => ({ ...demand, cost: -demand.cost, receipt: receipts[i]! })));
      if (isLate) backInLine(call);
      return;
    }
    spacedUntil = now + spaceAfter(now, taken);
    call.isWaiting = false;
    const started = { id, receipts, left: terms.rules.map((_, i) => taken[i]!.remaining) };
    elsewhere.granted(started.left);
    if (hasPlaces) renewal.add({ lane: call.lane, cost: call.cost, started });
    call.start(started);
  }

  /** What all lanes wait for holds up everybody, what one lane waits for holds up nobody else. */
  function refused(call: QueuedCall, id: number, now: number, taken: readonly Taken[]): void {
    let [ofAll, ofLane, isPlace] = [0, 0, false];
    taken.forEach(({ allowed, retryAfter }, i) => {
      if (allowed) return;
      const { per = "queue", isPlace: isOne = false } = terms.rules[i] ?? {};
      const wait = isOne ? Math.min(retryAfter, look) : retryAfter;
      isPlace ||= isOne;
      if (per === "queue") ofAll = Math.max(ofAll, wait);
      else ofLane = Math.max(ofLane, wait);
    });
    if (Math.max(ofAll, ofLane) === Infinity) {
      call.ticket = id;
      if (call.isWaiting) fail(call, "quota");
      return;
    }
    if (taken.some(({ degraded }) => degraded))
      trouble = new Error("The store is out of order, and without it no more may start now.");
    backInLine(call);
    if (isPlace) look = Math.min(LOOK_AGAIN_AT_MOST, look * 2);
    if (ofLane > 0) {
      lanes.hold(call.lane, now + Math.max(ofAll, ofLane));
    } else {
      rest(now + ofAll, isPlace);
      nextAt = restUntil;
    }
    late([call], isPlace ? now : now + Math.max(ofAll, ofLane));
  }

  function rest(until: number, forPlace: boolean): void {
    restUntil = until;
    isForPlace = forPlace;
  }

  function usable(taken: readonly Taken[]): number {
    return terms.rules.reduce(
      (least, { endsWithWindow }, i) => (endsWithWindow ? Math.min(least, taken[i]!.resetAfter) : least),
      terms.grace,
    );
  }

  function spaceAfter(now: number, taken: readonly Taken[]): number {
    const parts = terms.rules.map(({ ledger }, i) => taken[i]!.remaining / ledger.algorithm.capacity);
    const left = Math.min(1, ...parts);
    return spacing(terms, rate, now, Math.round(left * FULL_RATE), FULL_RATE);
  }

  function backInLine(call: QueuedCall): void {
    if (!call.isWaiting) return;
    call.isAgain = true;
    lanes.add(call);
  }

  function ended(call: Running, demands: readonly Demand[]): void {
    renewal.remove(call.started.id);
    send(demands);
    if (lanes.size === 0 || trouble !== undefined) return;
    if (isForPlace) restUntil = -Infinity;
    lanes.bringBack();
    pump();
  }

  return {
    isAlone: false,
    pump,
    left: () => {
      if (lanes.size === 0) wakeUp.cancel();
    },
    unused: (call) => {
      const { id, receipts } = call.started;
      const demands = demandsOf(terms, { id, lane: call.lane, cost: call.cost });
      ended(
        call,
        demands.map((demand, i) => ({ ...demand, cost: -demand.cost, receipt: receipts[i]! })),
      );
    },
    ended: (call) => {
      if (hasPlaces) ended(call, placesOf(call, -1));
    },
    correct({ lane, started }, units) {
      const demands = demandsOf(terms, { id: 0, lane, cost: units });
      send(
        demands.flatMap((demand, i) => {
          const { unit, isPlace } = terms.rules[i]!;
          if (unit !== "cost" || isPlace) return [];
          return [units < 0 ? { ...demand, receipt: started.receipts[i]! } : demand];
        }),
      );
    },
    noticed: (name, call, left) => {
      const i = limits.findIndex((limit) => limit.name === name);
      const units = elsewhere.notice(i, call, left);
      const demand = demandsOf(terms, { id: 0, lane: call.lane, cost: units })[i];
      if (demand !== undefined && units > 0) send([demand]);
      return units;
    },
    pause(forUs) {
      pausedUntil = Math.max(pausedUntil, clock.elapsed() + forUs);
      nextAt = Math.max(nextAt, pausedUntil);
      send([pauseOf(forUs)]);
    },
    cut: (agoUs) => cut(terms, rate, clock.elapsed() - agoUs, clock.elapsed()),
    tell() {},
    soonest: (_lane, cost, ahead) => soonestOf(limits, Math.max(0, nextAt - clock.elapsed()), ahead + cost),
    get aheadElsewhere() {
      return asking === undefined ? 0 : 1;
    },
    get asking() {
      return asking === undefined ? 0 : 1;
    },
    asked: () => (asking === undefined ? [] : [asking]),
    aheadOf: () => 0,
    get trouble() {
      return trouble;
    },
    get rate() {
      return rateAt(terms, rate, clock.elapsed()) / FULL_RATE;
    },
    get pausedUntil() {
      return pausedUntil;
    },
    close() {
      isClosed = true;
      wakeUp.cancel();
    },
  };
}
