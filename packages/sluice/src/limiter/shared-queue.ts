import type { Awaitable, Demand, Ledger } from "./store.ts";

/** One limit of a shared queue: what every call takes of it. */
export interface QueueRule {
  readonly ledger: Ledger;
  /**
   * Whose limit it is: of all calls together, of each lane, of all lanes of one group (`~group~rest`: what stands
   * before the second "~"), or of all lanes with the same rest (what stands from the second "~" on).
   */
  readonly per: "queue" | "lane" | "group" | "rest";
  /** A call takes its cost, or one. */
  readonly unit: "cost" | "call";
  /** Units are places: taken under the ticket's id, and given back when the call has ended. */
  readonly isPlace: boolean;
  /** A place is not free when the call has ended, but is held on under the terms of this ledger, which has the same space. */
  readonly afterEnd?: Ledger;
  /** A granted call must start before the window of this rule ends, as told by `resetAfter`. */
  readonly endsWithWindow: boolean;
}

/** What all processes that use one queue agree on. Times are microseconds. */
export interface QueueTerms {
  /** Names the queue, and is the key of its common accounts. */
  readonly name: string;
  /** Refuses all while it is blocked: the queue is paused. */
  readonly pause: Ledger;
  readonly rules: readonly QueueRule[];
  /** How long after its grant a call may start at most. The ledgers of the rules count with it. */
  readonly grace: number;
  /** An owner that has not been heard of for so long is gone, and so are his tickets. */
  readonly ownerLife: number;
  /** The least time between two starts, by the part of the tightest limit that is used, in millionths: `[[500_000, 100_000], …]` in growing order. */
  readonly pace: readonly (readonly [used: number, spacing: number])[];
  /** Time between two starts at the full rate, which a cut rate divides: period / limit of the tightest rule. */
  readonly interval: number;
  /** After so long without a cut, a tenth of the full rate comes back. */
  readonly recovery: number;
}

/** A call that waits to start. */
export interface Ticket {
  /** A whole number of 48 random bits, from 1: no other ticket has it, and it names the places of the call. */
  readonly id: number;
  /**
   * Lanes take turns. Short printable ASCII: `~group~rest`, neither of which has a "~"; so it is the name of nothing
   * else, and its parts are not either.
   */
  readonly lane: string;
  readonly cost: number;
  /** Where it stands in its lane: as if it had come so much later (or earlier, if negative) than now. In microseconds. */
  readonly offset: number;
}

/** A call that was granted, or may have been: names its places. */
export interface Holder {
  readonly id: number;
  readonly lane: string;
  readonly cost: number;
}

/** What a granted call has taken. */
export interface Charge extends Holder {
  /** Of each rule, in order. */
  readonly receipts: readonly number[];
}

/** Units that were used beyond (or, if negative, below) what was charged. */
export interface Correction {
  /** Its place in the terms. */
  readonly rule: number;
  readonly lane: string;
  readonly cost: number;
  /** With a negative cost: of which charge. */
  readonly receipt?: number;
}

/** A call that may start. */
export interface Grant extends Charge {
  /** When it was granted, on the store's clock. */
  readonly at: number;
  /** For how long after `at` the call may start. */
  readonly usable: number;
  /** Units left under the rule that is nearest to its limit, and the units that it has. */
  readonly remaining: number;
  readonly limit: number;
}

/** What everybody should know: of two notes the one of the higher rank counts. */
export interface Note {
  readonly rank: number;
  readonly text: string;
}

/** What one process says to the queue. Everything in it happens at once, in this order. */
export interface QueueRequest {
  /** Granted calls that were not started: everything goes back. */
  readonly unused?: readonly Charge[];
  /** Calls that have ended; and tickets that are missing, whose grants may have been lost: nobody will start them. */
  readonly ended?: readonly Holder[];
  /** Calls that are still running: their places are held on. */
  readonly running?: readonly Holder[];
  readonly corrections?: readonly Correction[];
  /** Nobody may start for so long. */
  readonly pause?: number;
  /** The upstream said that calls come too fast, to a call that started so long ago. */
  readonly cut?: number;
  readonly note?: Note;
  /** Tickets that nobody waits for any more. */
  readonly leave?: readonly number[];
  readonly enter?: readonly Ticket[];
  /** Tickets that should be there: the reply names those that are not. */
  readonly waiting?: readonly number[];
}

/** What the queue says to one process, when asked or of its own accord. Times are microseconds, `now` is the store's. */
export interface QueueNews {
  readonly now: number;
  readonly grants: readonly Grant[];
  /** Ask again after so long: the next call can start then, and it is this owner's task to see to that. */
  readonly wakeAfter?: number;
  readonly note?: Note;
}

export interface QueueReply extends QueueNews {
  /** Of the tickets that should be there, those that are not. */
  readonly missing: readonly number[];
  /** Tickets that can never be granted: they cost more than a limit has. They have been dropped. */
  readonly never: readonly number[];
  /** Tickets in the queue, of all owners. */
  readonly length: number;
  /** How many of them came before the first of this owner. */
  readonly ahead: number;
  /** The soonest that anybody can start, if somebody waits. */
  readonly nextAfter?: number;
  /** The rate to which starts are cut, from 0 to 1. */
  readonly rate: number;
}

/**
 * A queue that several processes stand in. No limit is exceeded, and nobody waits for nothing, while each of them
 *
 * - starts a call only within `usable` of `at`, and hands it back as `unused` if it is later. How late it is, is measured
 *   from when the request was sent; for news, by `now` of earlier replies and when those requests were sent;
 * - minds the first of two equal grants, and sends `unused` once: if there is no reply, it says `ended` instead;
 * - has one request under way, and asks again at `wakeAfter`, and several times within `ownerLife` with all of `waiting`
 *   and `running`;
 * - gives up the id of a ticket that is missing or was granted too late: says `ended` of one that is missing, and
 *   enters it anew under another id, with an offset for the time that it has waited.
 */
export interface SharedQueue {
  exchange(request: QueueRequest): Promise<QueueReply>;
  /** Stand in it no more. Tickets and places are given back by asking before. */
  close(): Awaitable<void>;
}

export interface QueueSeat {
  /** Names this process: no other has the same name. Printable ASCII. */
  readonly owner: string;
  /** Hears what happens without asking: grants above all. May be told twice, and may not be told at all. */
  inform(news: QueueNews): void;
}

/** What a call takes: of all rules, in order. */
export function demandsOf(
  { name, rules }: Pick<QueueTerms, "name" | "rules">,
  { id, lane, cost }: Pick<Ticket, "id" | "lane" | "cost">,
): readonly Demand[] {
  return rules.map(({ ledger, per, unit, isPlace }) => ({
    ledger,
    key: keyFor(per, name, lane),
    tag: name,
    cost: unit === "cost" ? cost : 1,
    ...(isPlace && { receipt: id }),
  }));
}

/** Whose account of a rule a call in this lane falls under. */
export function keyFor(per: QueueRule["per"], name: string, lane: string): string {
  if (per === "queue") return name;
  if (per === "lane") return lane;
  const cut = lane.indexOf("~", 1);
  return per === "group" ? lane.slice(0, cut) : lane.slice(cut);
}
