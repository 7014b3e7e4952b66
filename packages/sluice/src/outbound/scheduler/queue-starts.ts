import { leaseName } from "../../limiter/concurrency-limiter.ts";
import type { Grant, QueueNews, QueueReply, QueueTerms, SharedQueue } from "../../limiter/shared-queue.ts";
import type { Store } from "../../limiter/store.ts";
import { notedFacts, noteOf } from "../breaker/note.ts";
import { conversation, GATHERING } from "./conversation.ts";
import { Outbox } from "./outbox.ts";
import { type PlaceRenewal, placeRenewal } from "./place-renewal.ts";
import { soonestOf } from "./soonest.ts";
import { startable } from "./startable.ts";
import type { Running, Starts, StartsOptions, UpstreamLimits } from "./starts.ts";
import { StoreTime } from "./store-time.ts";
import { Tickets } from "./tickets.ts";
import { leftOf, usedElsewhere } from "./used-elsewhere.ts";
import { wakeCall } from "./wake-call.ts";

export interface QueueStartsOptions extends StartsOptions, UpstreamLimits {
  readonly terms: QueueTerms;
  readonly store: Store;
  /** What starts calls while the queue cannot be asked: while there is nothing instead. */
  meanwhile(instead: () => Pick<Starts, "pump"> | undefined, renewal: PlaceRenewal): Starts;
}

/** So many calls of a process stand in the shared queue; the others wait here, where that costs nothing. */
const TICKETS = 64;
/** Urgent ones do not wait for that. */
const URGENT_TICKETS = 256;
/** Whoever closes waits no longer than this for the store to hear of it. In milliseconds. */
const GOODBYE_MS = 1_000;

/**
 * Starts calls that stand in one line with those of all other processes, which the store keeps. Nobody polls: grants
 * come with the reply or are pushed, and who is next is told when to ask.
 */
export function queueStarts(options: QueueStartsOptions): Starts {
  const { terms, limits, store, lanes, clock, heard, fail, late, troubled } = options;
  const hasPlaces = terms.rules.some(({ isPlace }) => isPlace);
  const tickets = new Tickets();
  const outbox = new Outbox();
  const time = new StoreTime();
  const elsewhere = usedElsewhere(terms, clock);
  const wakeUp = wakeCall(clock, () => flush());
  const renewal = placeRenewal(clock, () => beat());
  const meanwhile = options.meanwhile(() => (trouble === undefined ? { pump } : undefined), renewal);
  const queue: SharedQueue = store.queue!(terms, {
    owner: `${leaseName().toString(36)}-${leaseName().toString(36)}`,
    inform: (news) => hear(news, undefined),
  });
  const { flush, gather, beat, beatWhile, again, close } = conversation({
    clock,
    queue,
    outbox,
    present: () => ({ waiting: tickets.ids(), running: renewal.holders() }),
    replied,
    broken,
  });
  let trouble: unknown;
  let closed: (() => void) | undefined;
  let length = 0;
  let isBackup = false;
  let ahead = 0;
  let nextAt = -Infinity;
  let pausedUntil = -Infinity;
  let rate = 1;

  function replied(reply: QueueReply, sentAt: number): void {
    const now = clock.elapsed();
    if (trouble !== undefined) {
      trouble = undefined;
      lanes.bringBack();
      if (hasPlaces) beat();
    }
    closed?.();
    time.sample(reply.now, sentAt);
    ({ length, ahead, rate } = reply);
    nextAt = reply.nextAfter === undefined ? -Infinity : now + reply.nextAfter;
    isBackup = (reply.wakeAfter ?? 0) > (reply.nextAfter ?? 0);
    for (const id of reply.never) {
      const call = tickets.get(id);
      tickets.delete(id);
      if (call !== undefined) fail(call, "quota");
    }
    for (const id of reply.missing) {
      const call = tickets.get(id);
      // It may have been granted, and the grant got lost: its places are nobody's.
      if (call !== undefined && hasPlaces) outbox.ended({ id, lane: call.lane, cost: call.cost });
      comeAgain(id);
    }
    hear(reply, sentAt);
    // Places may come back at any time, units do not.
    const asked = [...tickets.calls()].filter(({ arrivedAt }) => arrivedAt <= sentAt);
    late(asked, hasPlaces ? now : Math.max(now, nextAt));
    pump();
    beatWhile(tickets.size > 0);
  }

  /** @param sentAt when it was asked for, if it was */
  function hear({ now: storeNow, grants, wakeAfter, note }: QueueNews, sentAt: number | undefined): void {
    time.heard(storeNow, clock.elapsed());
    const facts = note && notedFacts(note, storeNow);
    if (facts !== undefined) heard(facts);
    for (const grant of grants) {
      // The time of each, because the calls before it may have taken some to start.
      const startsAt = clock.elapsed();
      granted(grant, sentAt === undefined ? time.age(grant.at, startsAt) : startsAt - sentAt);
    }
    // Who only looks whether another does it need not: somebody has.
    const isDone = wakeAfter === undefined && (sentAt !== undefined || isBackup);
    if (isDone || (wakeAfter !== undefined && tickets.size > 0)) wakeUp.told(storeNow, wakeAfter);
    if (grants.length > 0) pump();
  }

  function granted(grant: Grant, age: number): void {
    const { id, lane, cost, receipts } = grant;
    const call = tickets.get(id);
    const isLate = age > startable(grant.usable) || age < -terms.grace || pausedUntil > clock.elapsed();
    if (call === undefined || isLate) {
      // Whoever has started does not start again; what nobody starts, or starts too late, goes back.
      if (!tickets.settle(id)) return;
      outbox.unused({ id, lane, cost, receipts });
      if (call !== undefined) comeAgain(id);
      flush();
      return;
    }
    tickets.settle(id);
    tickets.delete(id);
    call.isWaiting = false;
    call.ticket = 0;
    const started = { id, receipts, left: leftOf(terms, grant) };
    elsewhere.granted(started.left);
    if (hasPlaces) renewal.add({ lane, cost, started });
    call.start(started);
  }

  /** A call whose ticket was lost, or granted too late, takes another, and stands where it stood. */
  function comeAgain(id: number): void {
    const call = tickets.get(id);
    if (call === undefined) return;
    tickets.delete(id);
    outbox.enter(tickets.stand(call));
    flush();
  }

  /** Take calls out of the line here into the line of all. */
  function pump(): void {
    if (trouble !== undefined) {
      meanwhile.pump();
      askAgain();
      return;
    }
    const now = clock.elapsed();
    let isNew = false;
    let isUrgent = false;
    for (let call = lanes.first(now); call !== undefined; call = lanes.first(now)) {
      if (tickets.size >= (call.rank === 0 ? URGENT_TICKETS : TICKETS)) break;
      lanes.serve(call);
      isUrgent ||= mayStartBefore(now + GATHERING, call.lane);
      outbox.enter(tickets.stand(call));
      isNew = true;
    }
    if (isUrgent) flush();
    else if (isNew) gather();
  }

  /** Whether a call could. Places may come back at any time; units do not, and who stands in its lane is refused until then. */
  function mayStartBefore(then: number, lane: string): boolean {
    return hasPlaces || nextAt <= then || !tickets.waitsInLane(lane);
  }

  /** The queue cannot be asked: all go back into the line here, and the store's fallback may start them. */
  function broken(error: unknown): void {
    if (trouble === undefined) troubled(error);
    trouble = error;
    wakeUp.cancel();
    closed?.();
    for (const call of [...tickets.calls()]) {
      tickets.delete(call.ticket);
      outbox.leave(call.ticket);
      call.ticket = 0;
      call.isAgain = true;
      lanes.add(call);
    }
    beatWhile(false);
    if (pausedUntil > clock.elapsed()) meanwhile.pause(pausedUntil - clock.elapsed());
    pump();
  }

  const askAgain = (): void => again(lanes.size + meanwhile.asking > 0);

  function settle(call: Running, how: "ended" | "unused"): void {
    const { id, receipts } = call.started;
    if (trouble !== undefined) {
      meanwhile[how](call);
      // Said when the queue can be asked again: the store may not have heard.
      if (hasPlaces) outbox.ended({ id, lane: call.lane, cost: call.cost });
    } else {
      renewal.remove(id);
      if (how === "unused") outbox.unused({ id, lane: call.lane, cost: call.cost, receipts });
      else if (hasPlaces) outbox.ended({ id, lane: call.lane, cost: call.cost });
      else return;
      flush();
    }
    if (closed !== undefined && !renewal.isBusy) void close().then(closed);
  }

  return {
    isAlone: false,
    pump,
    left(call) {
      if (!tickets.has(call)) {
        meanwhile.left(call);
        if (trouble !== undefined) askAgain();
        return;
      }
      // A grant that is on its way is for nobody, and goes back when it comes.
      tickets.delete(call.ticket);
      const isSaid = outbox.leave(call.ticket);
      if (tickets.size === 0) wakeUp.cancel();
      if (isSaid) flush();
    },
    unused: (call) => settle(call, "unused"),
    ended: (call) => settle(call, "ended"),
    correct({ lane, started }, cost) {
      terms.rules.forEach(({ unit, isPlace }, rule) => {
        if (unit !== "cost" || isPlace) return;
        outbox.correct({ rule, lane, cost, ...(cost < 0 && { receipt: started.receipts[rule]! }) });
      });
      flush();
    },
    noticed(name, call, left) {
      const rule = limits.findIndex((limit) => limit.name === name);
      const cost = elsewhere.notice(rule, call, left);
      if (cost > 0) {
        outbox.correct({ rule, lane: call.lane, cost });
        flush();
      }
      return cost;
    },
    pause(forUs) {
      pausedUntil = Math.max(pausedUntil, clock.elapsed() + forUs);
      outbox.pause(pausedUntil);
      if (trouble !== undefined) meanwhile.pause(forUs);
      flush();
    },
    cut(agoUs) {
      outbox.cut(clock.elapsed() - agoUs);
      if (trouble !== undefined) meanwhile.cut(agoUs);
      flush();
    },
    tell(facts) {
      outbox.note(noteOf(facts, time.storeTime(clock.elapsed())));
      flush();
    },
    soonest: (_lane, cost, before) => {
      const next = Math.max(pausedUntil, tickets.size > 0 ? nextAt : -Infinity) - clock.elapsed();
      return soonestOf(limits, Math.max(0, next), before + cost);
    },
    get aheadElsewhere() {
      return tickets.size === 0 ? meanwhile.aheadElsewhere : Math.max(tickets.size, length);
    },
    get asking() {
      return tickets.size + meanwhile.asking;
    },
    asked: () => [...tickets.calls(), ...meanwhile.asked()],
    aheadOf(call) {
      let before = ahead;
      for (const other of tickets.calls()) if (other !== call && other.order < call.order) before++;
      return before;
    },
    get trouble() {
      return trouble === undefined ? undefined : meanwhile.trouble;
    },
    get rate() {
      return rate;
    },
    get pausedUntil() {
      return pausedUntil;
    },
    close() {
      for (const id of tickets.ids()) {
        outbox.leave(id);
        tickets.delete(id);
      }
      meanwhile.close();
      wakeUp.cancel();
      beatWhile(false);
      return new Promise((resolve) => {
        const giveUp = clock.after(GOODBYE_MS, resolve, true);
        closed = () => {
          giveUp();
          resolve();
        };
        // Calls that still run keep their places until they end.
        if (renewal.isBusy) flush();
        else void close().then(closed);
      });
    },
  };
}
