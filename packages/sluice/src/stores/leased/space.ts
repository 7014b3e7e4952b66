import { type LeaseTerms, Mode, step } from "../../algorithms/algorithm.ts";
import { block } from "../../algorithms/block.ts";
import { type Demand, type Ledger, ledger } from "../../limiter/store.ts";
import { LeasedAccount } from "./account.ts";
import type { Books } from "./books.ts";
import { type Moment, sureOf } from "./moment.ts";

/** What the accounts of all quotas have in common. */
export interface House {
  readonly books: Books;
  readonly maxKeys: number;
  /** Accounts and facts that are remembered, over all spaces. */
  keys: number;
  /** Time for mirrors: runs ahead of that of every store. */
  time(): number;
  /** Arranges for {@link LeasedSpace.sweep} to be called. */
  wake(): void;
}

/** Accounts looked at for each newcomer: more than one, so that idle ones leave faster than others come. */
const SWEEP = 2;
const SWEEP_WHEN_FULL = 32;
/** So small a part of what flows back in a lease is not worth a call of the store: it is lost for one period. */
const NEGLIGIBLE = 1 / 2000;
/** Handed back at once, at most: the rest has time until the next turn. */
const RETURNS = 1_000;

/** What this process holds of one quota, for all its keys. */
export class LeasedSpace {
  readonly ledger: Ledger;
  /** Where the store keeps what was granted. */
  readonly grants: Ledger;
  readonly terms: LeaseTerms;
  readonly accounts = new Map<string, LeasedAccount>();
  /** So few units are neither counted closely nor handed back. */
  readonly negligible: number;
  /** How long granted units are used at most, in microseconds of this process. */
  readonly life: number;
  /** Where a reset leaves a mark, so that nobody takes it for a store that lost its state. */
  readonly resets: Ledger;
  /** Where a process that has found such a loss leaves a mark, for others to see. */
  readonly losses: Ledger;
  /** How long a charge can count at the store, in microseconds. */
  readonly memory: number;
  readonly #house: House;
  /** Accounts with lots: those whose lots end first come first. */
  #watched = new Set<LeasedAccount>();
  #unused: Demand[] = [];
  #next: Iterator<LeasedAccount> | undefined;

  constructor(given: Ledger, terms: LeaseTerms, house: House) {
    this.ledger = given;
    this.terms = terms;
    this.grants = ledger(`${given.space}/granted`, terms.algorithm);
    this.resets = ledger(`${given.space}/reset`, block);
    this.losses = ledger(`${given.space}/lost`, block);
    this.memory = step(terms.algorithm, undefined, 1, terms.algorithm.capacity, Mode.force).resetAfter;
    this.negligible = Math.floor(terms.perLease * NEGLIGIBLE);
    this.life = sureOf(terms.lease);
    this.#house = house;
  }

  get books(): Books {
    return this.#house.books;
  }

  /** How long the units of an answer may be used. */
  lifeOf(resetAfter: number): number {
    return this.terms.endsWithWindow ? Math.min(this.life, sureOf(resetAfter)) : this.life;
  }

  /** The account of a key; undefined when too many are remembered: then the store is asked each time. */
  account(key: string, now: Moment): LeasedAccount | undefined {
    const known = this.accounts.get(key);
    if (known !== undefined) return known;
    this.#forgetIdle(SWEEP, now);
    if (this.#house.keys >= this.#house.maxKeys) this.#forgetIdle(SWEEP_WHEN_FULL, now);
    if (this.#house.keys >= this.#house.maxKeys) return undefined;
    const account = new LeasedAccount(this, key, now);
    this.accounts.set(key, account);
    this.#house.keys++;
    return account;
  }

  /** The account has units that will be over one day. */
  watch(account: LeasedAccount): void {
    this.#watched.add(account);
    this.#house.wake();
  }

  /** Units that nobody will use: to be handed back, if that is sound. */
  leave({ key, mirror }: LeasedAccount, units: number, receipt: number): void {
    const { books, terms } = this;
    if (!terms.isReturnable || units <= this.negligible) {
      books.expired += units;
      return;
    }
    books.returned += units;
    mirror.takeOff(units, this.#house.time());
    this.#unused.push({ ledger: this.grants, key, cost: -units, receipt });
    this.#house.wake();
  }

  /** Units to hand back now. Each is told once: nobody knows what became of a call that failed. */
  unused(): readonly Demand[] {
    return this.#unused.length === 0 ? [] : this.#unused.splice(0, RETURNS);
  }

  /** Drop lots that are over. Returns whether there is more to do later. */
  sweep(now: Moment): boolean {
    for (const account of this.#watched) {
      account.available(now);
      if (!account.hasLots) this.#watched.delete(account);
    }
    return this.#watched.size > 0 || this.#unused.length > 0;
  }

  release(): void {
    for (const account of this.#watched) account.release();
    this.#watched.clear();
  }

  get held(): number {
    let sum = 0;
    for (const account of this.#watched) sum += account.held;
    return sum;
  }

  #forgetIdle(count: number, now: Moment): void {
    for (let i = 0; i < count; i++) {
      this.#next ??= this.accounts.values();
      const { done, value } = this.#next.next();
      if (done === true) {
        this.#next = undefined;
        return;
      }
      if (value.isIdle(now, this.#house.time())) {
        this.accounts.delete(value.key);
        this.#house.keys--;
      }
    }
  }
}
