import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { Account, Demand, Ledger } from "../../limiter/store.ts";
import type { Pending } from "./batches.ts";
import type { KeyNames } from "./key-names.ts";
import { type LedgerTerms, ledgerTerms } from "./ledger-terms.ts";

/** What is sent to Redis for a batch of decisions. */
export interface Request {
  readonly keys: readonly string[];
  /** JSON, as the script explains it. */
  readonly text: string;
}

/**
 * How much longer than needed a key is kept, in milliseconds: when Redis has both the time and the keys, and when the
 * time comes from elsewhere and may differ.
 */
const LINGER_MS = 1_000;
const LINGER_FOREIGN_MS = 60_000;

/** Writes requests. `wall` is the time about which windows of the calendar are told. */
export function requests(names: KeyNames, clock?: Clock): (batch: readonly Pending[], wall?: number) => Request {
  const terms = new WeakMap<Ledger, LedgerTerms>();
  const termsOf = (ledger: Ledger): LedgerTerms => {
    let known = terms.get(ledger);
    if (known === undefined) {
      known = ledgerTerms(ledger);
      terms.set(ledger, known);
    }
    return known;
  };

  return (batch, wall) => {
    const now = clock?.wall() ?? 0;
    const about = wall ?? (clock ?? systemClock).wall();
    const keys: string[] = [];
    const numbers = new Map<string, number>();
    const ledgers = new Map<Ledger, number>();
    let ledgerTexts = "";
    let ledgerOf = "";

    const numberOfLedger = (ledger: Ledger): number => {
      let number = ledgers.get(ledger);
      if (number === undefined) {
        number = ledgers.size + 1;
        ledgers.set(ledger, number);
        ledgerTexts += (number === 1 ? "" : ",") + termsOf(ledger).at(about);
      }
      return number;
    };
    const numberOfKey = (account: Account): number => {
      const name = names.of(account);
      let number = numbers.get(name);
      if (number === undefined) {
        number = keys.push(name);
        numbers.set(name, number);
        ledgerOf += (number === 1 ? "" : ",") + numberOfLedger(account.ledger);
      }
      return number;
    };

    let asked = "";
    for (const { ask, demands } of batch) {
      const isExtended = demands.some(needsMore);
      asked += `${asked === "" ? "" : ","}${demands.length * 8 + (isExtended ? 4 : 0) + ask}`;
      for (const demand of demands) {
        const { cost = 0, receipt = 0, least = false } = demand;
        asked += `,${numberOfKey(demand)},${cost}`;
        if (isExtended) asked += `,${receipt},${least}`;
      }
    }
    const linger = clock === undefined ? LINGER_MS : LINGER_FOREIGN_MS;
    return { keys, text: `[${now},${linger},[${ledgerTexts}],[${ledgerOf}],[${asked}]]` };
  };
}

function needsMore({ receipt, least }: Partial<Demand>): boolean {
  return (receipt !== undefined && receipt !== 0) || least !== undefined;
}
