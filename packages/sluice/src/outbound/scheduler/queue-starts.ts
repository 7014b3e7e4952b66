import type { Grant, QueueNews, QueueReply, QueueTerms, SharedQueue } from "../../limiter/shared-queue.ts";
import type { Store } from "../../limiter/store.ts";
import { notedFacts, noteOf } from "../breaker/note.ts";
import { alarm } from "./alarm.ts";
import { conversation } from "./conversation.ts";
import { Outbox } from "./outbox.ts";
import { type PlaceRenewal, placeRenewal, RENEWAL_MS } from "./place-renewal.ts";
import type { QueuedCall } from "./queued-call.ts";
import { Recent } from "./recent.ts";
import { soonestOf } from "./soonest.ts";
import type { Running, Starts, StartsOptions, UpstreamLimits } from "./starts.ts";
import { StoreTime } from "./store-time.ts";
import { ticketId } from "./ticket-id.ts";
import { usedElsewhere } from "./used-elsewhere.ts";

export interface QueueStartsOptions extends StartsOptions, UpstreamLimits {
  readonly terms: QueueTerms;
  readonly store: Store;
  /** What starts calls while the queue cannot be asked. */
  meanwhile(isNeeded: () => boolean, renewal: PlaceRenewal): Starts;
}

/** So many calls of a process stand in the shared queue; the others wait here, where that costs nothing. */
const TICKETS = 64;
/** Urgent ones do not wait for that. */
const URGENT_TICKETS = 256;

/**
 * Starts calls that stand in one line with those of all other processes, which the store keeps. Nobody polls: grants
 * come with the reply or are pushed, and who is next is told when to ask.
 */
export function queueStarts(options: QueueStartsOptions): Starts {
  const { terms, limits, store, lanes, clock, heard, fail } = options;
  const hasPlaces = terms.rules.some(({ isPlace }) => isPlace);
  const tickets = new Map<number, QueuedCall>();
  /** Calls that started or left: news of them may come late, or twice. */
  const settled = new Recent();
  const outbox = new Outbox();
  const time = new StoreTime();
  const elsewhere = usedElsewhere(terms, clock);
  const wakeUp = alarm(clock, () => flush());
  const heartbeat = alarm(clock, () => beat());
  const renewal = placeRenewal(clock, () => beat());
  const meanwhile = options.meanwhile(() => trouble !== undefined, renewal);
  const queue: SharedQueue = store.queue!(terms, {
    owner: `${ticketId().toString(36)}-${ticketId().toString(36)}`,
    inform: (news) => hear(news, undefined),
  });
  const { flush, beat, close } = conversation({
    clock,
    queue,
    outbox,
    present: () => ({ waiting: [...tickets.keys()], running: renewal.holders() }),
    replied,
    broken,
  });
  let trouble: unknown;
  let length = 0;
  let ahead = 0;
  let nextAt = -Infinity;
  let pausedUntil = -Infinity;
  let rate = 1;

  function replied(reply: QueueReply, sentAt: number): void {
    const now = clock.elapsed();
    if (trouble !== undefined) {
      trouble = undefined;
      if (hasPlaces) beat();
    }
    time.sample(reply.now, sentAt);
    ({ length, ahead, rate } = reply);
    nextAt = reply.nextAfter === undefined ? -Infinity : now + reply.nextAfter;
    if (reply.wakeAfter === undefined) wakeUp.cancel();
    for (const id of reply.never) {
      const call = withdraw(id);
      if (call !== undefined) fail(call, "quota");
    }
    for (const id of reply.missing) {
      const call = tickets.get(id);
      // It may have been granted, and the grant got lost: its places are nobody's.
      if (call !== undefined && hasPlaces) outbox.ended({ id, lane: call.lane, cost: call.cost });
      comeAgain(id);
    }
    hear(reply, sentAt);
    pump();
    if (tickets.size === 0) heartbeat.cancel();
    else heartbeat.set(now + RENEWAL_MS * 1000);
  }

  /** @param sentAt when it was asked for, if it was */
  function hear({ now: storeNow, grants, wakeAfter, note }: QueueNews, sentAt: number | undefined): void {
    const now = clock.elapsed();
    const facts = note && notedFacts(note, storeNow);
    if (facts !== undefined) heard(facts);
    for (const grant of grants) {
      const age = sentAt === undefined ? time.age(grant.at, now) : now - sentAt;
      granted(grant, age);
    }
    if (wakeAfter !== undefined && tickets.size > 0) wakeUp.set(now + wakeAfter);
    if (grants.length > 0) pump();
  }

  function granted(grant: Grant, age: number): void {
    const { id, lane, cost, receipts } = grant;
    const call = tickets.get(id);
    if (call === undefined || age > grant.usable || age < -terms.grace) {
      // Whoever has started does not start again; what nobody starts, or starts too late, goes back.
      if (settled.has(id)) return;
      settled.add(id);
      outbox.unused({ id, lane, cost, receipts });
      if (call !== undefined) comeAgain(id);
      flush();
      return;
    }
    withdraw(id);
    call.isWaiting = false;
    const left = terms.rules.map(({ ledger }) =>
      ledger.algorithm.capacity === grant.limit ? grant.remaining : Number.NaN,
    );
    const started = { id, receipts, left };
    if (hasPlaces) renewal.add({ lane, cost, started });
    call.start(started);
  }

  /** A ticket counts no more: its call starts, leaves or takes another. */
  function withdraw(id: number): QueuedCall | undefined {
    const call = tickets.get(id);
    if (call === undefined) return undefined;
    tickets.delete(id);
    settled.add(id);
    return call;
  }

  /** A call whose ticket was lost, or granted too late, takes another, and stands where it stood. */
  function comeAgain(id: number): void {
    const call = tickets.get(id);
    if (call === undefined) return;
    tickets.delete(id);
    stand(call);
    flush();
  }

  function stand(call: QueuedCall): void {
    call.ticket = ticketId();
    call.isWaiting = true;
    tickets.set(call.ticket, call);
    const offset = Math.round(call.order - clock.elapsed());
    outbox.enter({ id: call.ticket, lane: call.lane, cost: call.cost, offset });
  }

  /** Take calls out of the line here into the line of all. */
  function pump(): void {
    if (trouble !== undefined) {
      meanwhile.pump();
      return;
    }
    const now = clock.elapsed();
    let isNew = false;
    for (let call = lanes.first(now); call !== undefined; call = lanes.first(now)) {
      if (tickets.size >= (call.rank === 0 ? URGENT_TICKETS : TICKETS)) break;
      lanes.serve(call);
      stand(call);
      isNew = true;
    }
    if (isNew) flush();
  }

  /** The queue cannot be asked: all go back into the line here, and the store's fallback may start them. */
  function broken(error: unknown, againAfter: number): void {
    trouble = error;
    for (const [id, call] of [...tickets]) {
      tickets.delete(id);
      outbox.leave(id);
      call.ticket = 0;
      call.isAgain = true;
      lanes.add(call);
    }
    wakeUp.set(clock.elapsed() + againAfter);
    meanwhile.pump();
  }

  function settle(call: Running, how: "ended" | "unused"): void {
    const { id, receipts } = call.started;
    if (trouble !== undefined) {
      meanwhile[how](call);
      return;
    }
    renewal.remove(id);
    if (how === "unused") outbox.unused({ id, lane: call.lane, cost: call.cost, receipts });
    else if (hasPlaces) outbox.ended({ id, lane: call.lane, cost: call.cost });
    else return;
    flush();
  }

  return {
    isAlone: false,
    pump,
    left(call) {
      if (call.ticket === 0 || tickets.get(call.ticket) !== call) {
        meanwhile.left(call);
        return;
      }
      // A grant that is on its way is for nobody, and goes back when it comes.
      tickets.delete(call.ticket);
      outbox.leave(call.ticket);
      if (tickets.size === 0) wakeUp.cancel();
      flush();
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
      flush();
    },
    cut(agoUs) {
      outbox.cut(clock.elapsed() - agoUs);
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
    asked: () => [...tickets.values(), ...meanwhile.asked()],
    aheadOf(call) {
      let before = ahead;
      for (const other of tickets.values()) if (other !== call && other.order < call.order) before++;
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
      for (const id of tickets.keys()) outbox.leave(id);
      meanwhile.close();
      renewal.close();
      wakeUp.cancel();
      heartbeat.cancel();
      close();
    },
  };
}
