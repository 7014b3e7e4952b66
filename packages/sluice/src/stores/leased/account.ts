import type { Answer, Verdict } from "../../algorithms/algorithm.ts";
import type { BlockFact } from "./block-fact.ts";
import { Lot } from "./lot.ts";
import { Mirror } from "./mirror.ts";
import type { Moment } from "./moment.ts";
import { Refusals } from "./refusals.ts";
import type { LeasedSpace } from "./space.ts";

/** Units that were taken out of a lot for a call that is not decided yet. */
export interface Portion {
  readonly lot: Lot;
  readonly units: number;
}

/** A rate is not measured over less: calls that come in a bunch are no rate. In microseconds. */
const SHORTEST = 1_000;
/** A share that cannot go back is chosen so that it is nearly always used up: so far below what is expected. */
const SURE = 0.5;

/** What this process holds of one key's quota, and what it knows of the rest. */
export class LeasedAccount {
  readonly space: LeasedSpace;
  readonly key: string;
  readonly refusals = new Refusals();
  readonly mirror: Mirror;
  /** Of the same key, as found last: saves most calls a search. */
  fact: BlockFact | undefined;
  /** The grant that is under way, for others to wait for. */
  asking: Promise<void> | undefined;
  /** Units that callers wait for until that grant is there. */
  waiting = 0;
  /** Whether asking takes so long that shares would be over before they are there. */
  isSlow = false;
  /** No units are asked for before: the store has lost its state, and others have to tell it first. */
  closedUntil = 0;
  /** Of the last grant that calls have used, and of which nothing is in hand: its units are all that a refund may mean. */
  lastReceipt: number | undefined;
  /** Units asked of this account since the last grant, in `askedAt`. */
  demanded = 0;
  #askedAt: number;
  #rate = 0;
  #size = 1;
  #lots: Lot[] = [];
  /** Left at the store, and when all of it will be, as it said last. */
  #left: number;
  #resetAt = 0;

  constructor(space: LeasedSpace, key: string, now: Moment) {
    this.space = space;
    this.key = key;
    this.mirror = new Mirror(space.terms);
    this.#left = space.terms.algorithm.capacity;
    this.#askedAt = now.elapsed;
  }

  /** Units that may be used now. Drops the lots that are over. */
  available(now: Moment): number {
    let sum = 0;
    let dead = 0;
    for (const lot of this.#lots) {
      if (lot.isAlive(now)) sum += lot.left;
      else dead++;
    }
    if (dead > 0) this.#drop((lot) => !lot.isAlive(now));
    return sum;
  }

  /** Take all units out of one lot, if one has them: the receipt, or undefined. The way of most calls. */
  takeFromOne(cost: number, now: Moment): number | undefined {
    for (const lot of this.#lots) {
      if (lot.left >= cost && lot.isAlive(now)) {
        lot.left -= cost;
        lot.used += cost;
        this.space.books.used += cost;
        return lot.receipt;
      }
    }
    return undefined;
  }

  /** Decide at once about a call, if what is in hand or was refused allows it. */
  decide(cost: number, now: Moment, answer: Answer): boolean {
    const receipt = this.takeFromOne(cost, now) ?? this.#takeFromSeveral(cost, now);
    if (receipt === undefined) {
      const short = cost - this.available(now);
      const isClosed = now.elapsed < this.closedUntil;
      const retryAt = isClosed ? this.closedUntil : this.refusals.retryAt(short, now.elapsed);
      if (retryAt === undefined) return false;
      answer.retryAfter = Math.max(1, retryAt - now.elapsed);
    } else answer.retryAfter = 0;
    answer.allowed = receipt !== undefined;
    answer.receipt = receipt ?? 0;
    this.demanded += cost;
    this.fill(answer, now);
    return true;
  }

  #takeFromSeveral(cost: number, now: Moment): number | undefined {
    return this.available(now) < cost ? undefined : (this.take(cost)[0]?.lot.receipt ?? 0);
  }

  /** Take up to so many units, those that end first. */
  take(cost: number): Portion[] {
    const portions: Portion[] = [];
    let missing = cost;
    for (const lot of this.#lots) {
      if (missing === 0) break;
      const units = lot.take(missing);
      if (units > 0) portions.push({ lot, units });
      missing -= units;
    }
    this.space.books.used += cost - missing;
    return portions;
  }

  /** The call was not let through: its units may be used by others, or go back. */
  undo(portions: readonly Portion[]): void {
    for (const { lot, units } of portions) {
      lot.takeBack(units);
      this.space.books.used -= units;
      if (!this.#lots.includes(lot)) this.#leave(lot);
    }
  }

  /** Put units of a charge back into the lot that it came from, or without a receipt into the newest. Returns how many. */
  putBack(units: number, receipt: number | undefined, now: Moment): number {
    this.available(now);
    let missing = units;
    for (const lot of this.#lots.toReversed()) {
      if (receipt === undefined || lot.receipt === receipt) missing -= lot.takeBack(missing);
    }
    this.space.books.used -= units - missing;
    return units - missing;
  }

  /**
   * Units that came with an answer of the store: some are used by the call that asked, some are left. Returns how many came too
   * late, and are handed back.
   */
  receive(granted: number, used: number, asked: Moment, now: Moment, answer: Verdict): number {
    const { space } = this;
    space.books.granted += granted;
    space.books.used += used;
    if (granted === used) {
      this.lastReceipt = answer.receipt;
      return 0;
    }
    const lot = new Lot(answer.receipt, granted - used, used, asked, space.lifeOf(answer.resetAfter));
    if (!lot.isAlive(now)) {
      const { left } = lot;
      this.#leave(lot);
      return left;
    }
    this.#lots.push(lot);
    space.watch(this);
    return 0;
  }

  /** What the store said last about the rest. */
  learn({ remaining, resetAfter }: Verdict, now: Moment): void {
    this.#left = remaining;
    this.#resetAt = now.elapsed + resetAfter;
  }

  /** Forget the units in hand: the store does not know of them any more. */
  clear(): void {
    for (const lot of this.#lots) this.space.books.expired += lot.left;
    this.#lots = [];
    this.refusals.clear();
  }

  /** Somebody has made the key as good as new. */
  forget(): void {
    this.clear();
    this.mirror.clear();
    this.closedUntil = 0;
    this.lastReceipt = undefined;
    this.#left = this.space.terms.algorithm.capacity;
    this.#resetAt = 0;
  }

  /** Take all units in hand away, to be handed back. */
  release(): void {
    this.#drop(() => true);
  }

  /** How many units to ask for, of which `need` are needed at once. */
  want(need: number, now: Moment): number {
    const { terms, life } = this.space;
    const passed = Math.max(SHORTEST, now.elapsed - this.#askedAt);
    const sample = this.demanded / passed;
    this.#rate = passed > 2 * life ? sample : (this.#rate + sample) / 2;
    this.#askedAt = now.elapsed;
    this.demanded = 0;
    const expected = this.#rate * life;
    const goal = terms.isReturnable ? expected : SURE * (expected - Math.sqrt(expected));
    const most = Math.max(this.#left / 2, terms.perLease);
    this.#size = Math.max(1, need, Math.floor(Math.min(goal, most, 2 * this.#size)));
    const free = this.#left > terms.algorithm.capacity / 2 ? this.space.negligible : 0;
    return Math.max(need, free, Math.min(this.#size, terms.algorithm.capacity));
  }

  /** Whether it may be forgotten. */
  isIdle(now: Moment, time: number): boolean {
    return (
      this.available(now) === 0 &&
      this.#lots.length === 0 &&
      this.asking === undefined &&
      this.waiting === 0 &&
      now.elapsed >= this.closedUntil &&
      this.mirror.units(time) === 0
    );
  }

  get held(): number {
    return this.#lots.reduce((sum, { left }) => sum + left, 0);
  }

  get hasLots(): boolean {
    return this.#lots.length > 0;
  }

  /** Write what is left here and at the store. */
  fill(answer: { remaining: number; resetAfter: number }, now: Moment): void {
    let here = 0;
    for (const lot of this.#lots) if (lot.isAlive(now)) here += lot.left;
    answer.remaining = Math.min(this.space.ledger.algorithm.capacity, here + this.#left);
    answer.resetAfter = Math.max(0, this.#resetAt - now.elapsed);
  }

  #drop(isOver: (lot: Lot) => boolean): void {
    const over = this.#lots.filter(isOver);
    this.#lots = this.#lots.filter((lot) => !over.includes(lot));
    for (const lot of over) {
      if (lot.used > 0) this.lastReceipt = lot.receipt;
      this.#leave(lot);
    }
  }

  /** The lot is not used from here on. */
  #leave(lot: Lot): void {
    const { left, receipt } = lot;
    if (left === 0) return;
    lot.left = 0;
    this.space.leave(this, left, receipt);
  }
}
