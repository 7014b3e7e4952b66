import { block } from "../../algorithms/block.ts";
import type { Demand, Ledger } from "../../limiter/store.ts";
import type { LeasedAccount } from "./account.ts";
import { BlockFact } from "./block-fact.ts";
import type { Moment } from "./moment.ts";
import { type House, LeasedSpace } from "./space.ts";

/** A demand, and who can meet it here; if nobody can, it goes to the store each time. */
export interface Part {
  readonly demand: Demand;
  /** The demand as the store has to be asked. */
  readonly atStore: Demand;
  readonly account: LeasedAccount | undefined;
  readonly fact: BlockFact | undefined;
}

/** The blocks of a limiter, by key. */
export type BlockFacts = Map<string, BlockFact>;

/** Facts looked at for each newcomer. */
const SWEEP = 2;

/** Everything that this process holds, by ledger. */
export class Spaces {
  readonly all = new Map<string, LeasedSpace>();
  readonly #lease: number;
  readonly #factLife: number;
  readonly #house: House;
  /** Ledgers that cannot be leased. */
  readonly #others = new Set<string>();
  readonly #facts = new Map<string, BlockFacts>();

  constructor(lease: number, factLife: number, house: House) {
    this.#lease = lease;
    this.#factLife = factLife;
    this.#house = house;
  }

  /** The space of a ledger; undefined when its algorithm has no terms for leases. */
  space(ledger: Ledger): LeasedSpace | undefined {
    const known = this.all.get(ledger.space);
    if (known !== undefined || this.#others.has(ledger.space)) return known;
    const terms = ledger.algorithm.forLeases?.(this.#lease);
    if (terms === undefined) {
      this.#others.add(ledger.space);
      return undefined;
    }
    const space = new LeasedSpace(ledger, terms, this.#house);
    this.all.set(ledger.space, space);
    return space;
  }

  facts({ space }: Ledger): BlockFacts {
    let facts = this.#facts.get(space);
    if (facts === undefined) {
      facts = new Map();
      this.#facts.set(space, facts);
    }
    return facts;
  }

  fact(demand: Demand, now: Moment): BlockFact | undefined {
    const facts = this.facts(demand.ledger);
    let fact = facts.get(demand.key);
    if (fact === undefined) {
      this.#sweep(facts, now);
      if (this.#house.keys >= this.#house.maxKeys) return undefined;
      fact = new BlockFact();
      facts.set(demand.key, fact);
      this.#house.keys++;
    }
    return fact;
  }

  part(demand: Demand, now: Moment): Part {
    const { ledger, key, least } = demand;
    if (ledger.algorithm === block) {
      return { demand, atStore: demand, account: undefined, fact: this.fact(demand, now) };
    }
    const space = this.space(ledger);
    if (space === undefined) return { demand, atStore: demand, account: undefined, fact: undefined };
    const account = least === undefined ? space.account(key, now) : undefined;
    return { demand, atStore: { ...demand, ledger: space.grants }, account, fact: undefined };
  }

  /** Drop what the oldest facts say, if it is over: they are in the order of their first use. */
  #sweep(facts: BlockFacts, now: Moment): void {
    let looked = 0;
    for (const [key, fact] of facts) {
      if (looked++ === SWEEP) return;
      facts.delete(key);
      if (fact.isIdle(now, this.#factLife)) this.#house.keys--;
      else facts.set(key, fact);
    }
  }
}
