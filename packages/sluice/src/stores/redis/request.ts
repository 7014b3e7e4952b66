import { block } from "../../algorithms/block.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { Account, Demand, Ledger } from "../../limiter/store.ts";
import type { Pending } from "./batches.ts";
import type { KeyNames } from "./key-names.ts";
import { type LedgerTerms, ledgerTerms } from "./ledger-terms.ts";
import { Ask } from "./script.ts";

/** What is sent to Redis for a batch of decisions. */
export interface Request {
  readonly batch: readonly Pending[];
  readonly keys: readonly string[];
  /** JSON, as the script explains it. */
  readonly text: string;
}

export interface RequestsOptions {
  readonly names: KeyNames;
  readonly clock?: Clock | undefined;
  /** Whether blocks leave a marker for those who do not look at each: not where a marker would be in another slot. */
  readonly hasMarkers: boolean;
}

/** Writes a request for as many of the decisions as fit into one, from the first on: one at least. */
export type Requests = (waiting: readonly Pending[], wall?: number) => Request;

/** More demands than this in one call would keep Redis busy for longer than others want to wait. */
const MAX_DEMANDS = 128;
/**
 * How much longer than needed a key is kept, in milliseconds: when Redis has both the time and the keys, and when the
 * time comes from elsewhere and may differ.
 */
const LINGER_MS = 1_000;
const LINGER_FOREIGN_MS = 60_000;

export const lingerMs = (clock: Clock | undefined): number => (clock === undefined ? LINGER_MS : LINGER_FOREIGN_MS);

/** @returns what writes requests; `wall` is the time about which windows of the calendar are told. */
export function requests({ names, clock, hasMarkers }: RequestsOptions): Requests {
  const terms = new WeakMap<Ledger, LedgerTerms>();
  const termsOf = (ledger: Ledger, wall: number): string => {
    let known = terms.get(ledger);
    if (known === undefined) {
      known = ledgerTerms(ledger);
      terms.set(ledger, known);
    }
    return known.at(wall);
  };

  return (waiting, wall = (clock ?? systemClock).wall()) => {
    const now = clock?.wall() ?? 0;
    const keys: string[] = [];
    const numbers = new Map<string, number>();
    const ledgers = new Map<string, number>();
    const ledgerOf: number[] = [];
    const asked: (number | false)[] = [];
    const blocking = new Set<Ledger>();
    let count = 0;
    let demandCount = 0;

    const numberOfLedger = (ledger: Ledger): number => {
      const text = termsOf(ledger, wall);
      let number = ledgers.get(text);
      if (number === undefined) {
        number = ledgers.size + 1;
        ledgers.set(text, number);
      }
      return number;
    };
    /** Where one key has usage that is carried over from other numbers, those others wait for the next request. */
    const numberOf = (account: Account): number | undefined => {
      const name = names.of(account);
      const ledger = numberOfLedger(account.ledger);
      const number = numbers.get(name);
      if (number !== undefined) return ledgerOf[number - 1] === ledger ? number : undefined;
      numbers.set(name, keys.push(name));
      ledgerOf.push(ledger);
      return keys.length;
    };

    for (const { ask, demands } of waiting) {
      demandCount += demands.length;
      if (count > 0 && demandCount > MAX_DEMANDS) break;
      const isExtended = demands.some(needsMore);
      const start = asked.push(demands.length * 8 + (isExtended ? 4 : 0) + ask) - 1;
      const fits = demands.every((demand) => {
        const number = numberOf(demand);
        if (number === undefined) return false;
        asked.push(number, demand.cost ?? 0);
        if (isExtended) asked.push(demand.receipt ?? 0, demand.least ?? false);
        return true;
      });
      if (!fits) {
        asked.length = start;
        break;
      }
      count++;
      if (hasMarkers && ask === Ask.force) {
        for (const { ledger } of demands) if (ledger.algorithm === block) blocking.add(ledger);
      }
    }
    const markers = [...blocking].flatMap((ledger) => [numberOfLedger(ledger), keys.push(names.marker(ledger))]);
    const told = [...ledgers.keys()].join(",");
    return {
      batch: waiting.slice(0, count),
      keys,
      text: `[${now},${lingerMs(clock)},[${told}],[${ledgerOf.join(",")}],[${asked.join(",")}],[${markers.join(",")}]]`,
    };
  };
}

function needsMore({ receipt, least }: Partial<Demand>): boolean {
  return (receipt !== undefined && receipt !== 0) || least !== undefined;
}
