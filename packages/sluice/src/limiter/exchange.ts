import { Mode } from "../algorithms/algorithm.ts";
import {
  bringBack,
  catchUp,
  cut,
  drop,
  enter,
  FULL_RATE,
  firstTickets,
  isAbove,
  ownersInLine,
  type QueuedTicket,
  type QueueState,
  rateAt,
  serve,
  spacing,
  sweep,
} from "./queue-state.ts";
import {
  demandsOf,
  type Grant,
  type Holder,
  type Note,
  type QueueReply,
  type QueueRequest,
  type QueueRule,
  type QueueTerms,
  type Ticket,
} from "./shared-queue.ts";
import type { Demand, Taken } from "./store.ts";

/** What others hear: grants of tickets that are theirs, or that it is on them to wake up. */
export interface Told {
  grants: Grant[];
  wakeAfter?: number;
  note?: Note;
}

/** If who was told to wake up does not, the next two do it so much later each, in microseconds: at least the grace. */
const BACKUP = 20_000;

/** Nobody is woken up sooner than this after the last request, in microseconds. */
const GAP = 8_000;

/**
 * The one definition of what a shared queue does with a request at `now`: stores that keep queues do the
 * same, atomically. `take` charges the accounts of the rules as `decide` would, at the same time.
 *
 * Tickets are served lane by lane, the lane that was served least first, in a lane by their order. A ticket that a
 * limit of all lanes refuses holds up everybody: whoever is next is next. One that a limit of its own lane, group
 * or rest refuses holds up its lane, and nobody else.
 */
export function exchange(
  terms: QueueTerms,
  state: QueueState,
  owner: string,
  request: QueueRequest,
  now: number,
  take: (demands: readonly Demand[], mode: Mode) => readonly Taken[],
): { reply: QueueReply; told: ReadonlyMap<string, Told> } {
  const told = new Map<string, Told>();
  const tell = (whom: string): Told => {
    let news = told.get(whom);
    if (news === undefined) {
      news = { grants: [] };
      told.set(whom, news);
    }
    return news;
  };
  const pauseOf = (cost: number): Demand => ({ ledger: terms.pause, key: terms.name, tag: terms.name, cost });

  if (now < state.now) bringBack(state, state.now - now);
  state.now = now;
  state.owners[owner] = now;
  sweep(terms, state, now);
  settle(terms, request, take);
  if (request.pause !== undefined) take([pauseOf(request.pause)], Mode.force);
  if (request.cut !== undefined) cut(terms, state, now - request.cut, now);
  if (request.note !== undefined && isAbove(request.note, state.note)) {
    state.note = request.note;
    for (const other of Object.keys(state.owners)) if (other !== owner) tell(other).note = request.note;
  }
  const { leave = [], enter: come = [], waiting = [] } = request;
  const never = come.filter((ticket) => !fits(terms, ticket)).map(({ id }) => id);
  enter(
    state,
    owner,
    leave,
    come.filter(({ id }) => !never.includes(id)),
    now,
  );
  const nextAt = pump();
  wake(nextAt === undefined ? undefined : together(nextAt));

  const own = told.get(owner) ?? { grants: [] };
  told.delete(owner);
  const here = new Set(state.tickets.map(({ id }) => id));
  const first = state.tickets.find((ticket) => ticket.owner === owner);
  return {
    reply: {
      now,
      ...own,
      ...(state.note !== undefined && { note: state.note }),
      missing: waiting.filter(
        (id) => !(here.has(id) || never.includes(id) || own.grants.some((grant) => grant.id === id)),
      ),
      never,
      length: state.tickets.length,
      ahead: first === undefined ? 0 : state.tickets.filter(({ order }) => order < first.order).length,
      ...(nextAt !== undefined && { nextAfter: nextAt - now }),
      rate: rateAt(terms, state, now) / FULL_RATE,
    },
    told,
  };

  /** Serve who can be served. Returns when the next one can be, if anybody waits. */
  function pump(): number | undefined {
    /** Lanes that their own limits refuse, and until when. */
    const held = new Map<string, number>();
    let common = Infinity;
    while (common === Infinity) {
      const free = firstTickets(state).filter(({ lane }) => !held.has(lane));
      const [next] = free;
      if (next === undefined) break;
      if (state.notBefore > now) return state.notBefore;
      const taken = take([...demandsOf(terms, next), pauseOf(1)], Mode.take);
      const ofAll = waitFor(taken, (i) => isOfAll(terms.rules[i]));
      const ofLane = waitFor(taken, (i) => !isOfAll(terms.rules[i]));
      const wait = Math.max(ofAll, ofLane);
      if (wait === 0) {
        grant(next, taken, free.length);
      } else if (wait === Infinity) {
        drop(state, next);
        if (next.owner === owner) never.push(next.id);
      } else if (ofLane > 0) {
        held.set(next.lane, now + wait);
        catchUp(state, next.lane);
      } else {
        common = now + wait;
      }
    }
    return state.tickets.length === 0 ? undefined : Math.max(state.notBefore, Math.min(common, ...held.values()));
  }

  function grant(ticket: QueuedTicket, taken: readonly Taken[], among: number): void {
    serve(state, ticket, among);
    let [remaining, limit] = [Infinity, 1];
    let usable = terms.grace;
    terms.rules.forEach(({ ledger, endsWithWindow }, i) => {
      const { capacity } = ledger.algorithm;
      if (taken[i]!.remaining * limit < remaining * capacity) [remaining, limit] = [taken[i]!.remaining, capacity];
      if (endsWithWindow) usable = Math.min(usable, taken[i]!.resetAfter);
    });
    const { id, lane: name, cost } = ticket;
    const receipts = terms.rules.map((_, i) => taken[i]!.receipt);
    tell(ticket.owner).grants.push({ id, lane: name, cost, receipts, at: now, usable, remaining, limit });
    state.notBefore = now + spacing(terms, state, now, remaining, limit);
  }

  /**
   * Units that flow back one after the other are granted together. Where starts have a distance, or so much flows back within the
   * gap that it could not be kept, they are not.
   */
  function together(at: number): number {
    if (state.notBefore > now) return at;
    const whole = terms.rules.map(({ ledger }) => Math.floor((terms.interval * ledger.algorithm.capacity) / 10));
    return Math.max(at, now + Math.min(GAP, ...whole));
  }

  /** The owner of the next ticket wakes up in time; the two after him look whether he did. */
  function wake(at: number | undefined): void {
    const inLine = at === undefined ? [] : ownersInLine(state);
    const rank = inLine.indexOf(owner);
    const backup = Math.max(BACKUP, terms.grace);
    if (rank >= 0 && rank < 3) tell(owner).wakeAfter = at! - now + rank * backup;
    const [head = ""] = inLine;
    if (head !== "" && head !== owner && (head !== state.waker || at! < state.wakeAt)) tell(head).wakeAfter = at! - now;
    state.waker = head;
    state.wakeAt = at ?? 0;
  }
}

/** Whether all lanes wait when it refuses. The pause, which is no rule, is for all. */
const isOfAll = (rule: QueueRule | undefined): boolean => rule === undefined || rule.per === "queue";

const waitFor = (taken: readonly Taken[], isMeant: (i: number) => boolean): number =>
  taken.reduce((wait, { allowed, retryAfter }, i) => (allowed || !isMeant(i) ? wait : Math.max(wait, retryAfter)), 0);

/** Whether it can ever be granted. */
const fits = (terms: QueueTerms, ticket: Ticket): boolean =>
  demandsOf(terms, ticket).every(({ ledger, cost }) => cost <= ledger.algorithm.capacity);

/** Give back, hold on, and correct what was charged. */
function settle(
  terms: QueueTerms,
  { unused = [], ended = [], running = [], corrections = [] }: QueueRequest,
  take: (demands: readonly Demand[], mode: Mode) => readonly Taken[],
): void {
  for (const charge of unused) {
    for (const [i, demand] of demandsOf(terms, charge).entries())
      take([{ ...demand, cost: -demand.cost, receipt: charge.receipts[i]! }], Mode.force);
  }
  const placesOf = (holder: Holder) =>
    demandsOf(terms, holder).flatMap((demand, i) => (terms.rules[i]!.isPlace ? { demand, rule: terms.rules[i]! } : []));
  for (const { demand, rule } of ended.flatMap(placesOf)) {
    if (rule.afterEnd === undefined) take([{ ...demand, cost: -demand.cost }], Mode.force);
    else take([{ ...demand, ledger: rule.afterEnd }], Mode.force);
  }
  for (const { demand } of running.flatMap(placesOf)) take([demand], Mode.force);
  for (const { rule, lane, cost, receipt = 0 } of corrections) {
    const demand = demandsOf(terms, { id: 0, lane, cost: 1 })[rule];
    if (demand !== undefined && cost !== 0) take([{ ...demand, cost, receipt }], Mode.force);
  }
}
