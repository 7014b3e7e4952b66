import { Mode } from "../algorithms/algorithm.ts";
import { wholeNumber } from "../algorithms/numbers.ts";
import type { Clock } from "../limiter/clock.ts";
import {
  type Account,
  type Demand,
  type Ledger,
  mergeDemands,
  type Store,
  type Taken,
  type TakeOptions,
} from "../limiter/store.ts";
import { isUncharged, StoreTimeoutError } from "./errors.ts";
import { isPlace } from "./held-places.ts";
import { memoryStore } from "./memory/memory.ts";

export interface LocalShareOptions {
  /** Keys to remember at most; when it is full of live keys, newcomers share one share. @default 10_000 */
  readonly maxKeys?: number;
}

/** A policy of `fallback`: without the store, each process allows its share of every limit. */
export interface LocalShare extends Required<LocalShareOptions> {
  readonly processes: number;
}

/**
 * While the store is out of order, this process decides by itself with one of `processes` equal shares of
 * every limit. All of them together then allow at most the limit, or one unit each where the limit is smaller.
 *
 * @param processes how many processes share the limits: rather too many than too few.
 */
export function localShare(processes: number, { maxKeys = 10_000 }: LocalShareOptions = {}): LocalShare {
  return {
    processes: wholeNumber("localShare(processes): processes", processes, 1),
    maxKeys: wholeNumber("maxKeys", maxKeys, 1),
  };
}

/** Why and how long the store cannot be asked. */
export interface Outage {
  readonly error: unknown;
  /** When to ask it again. */
  readonly retryAfterMs: number;
  /** Whether a demand renews a place that the store granted. */
  isHeld(demand: Demand): boolean;
}

/** Decides with a share of each limit, and knows what was used of it. */
export interface LocalDecisions {
  /** Undefined: there is a demand whose algorithm has no shares. */
  take(demands: readonly Demand[], options: TakeOptions, outage: Outage): readonly Taken[] | undefined;
  /** Hand back units that were taken here, as their receipts say; places, too. */
  giveBack(demands: readonly Demand[]): void;
  forget(accounts: readonly Account[]): void;
  /** Whether the store does not know yet what was used here. */
  readonly isBehind: boolean;
  /**
   * Tell the store what was used and still counts, once. What may have been charged is not told again.
   *
   * @throws what the store throws
   */
  catchUp(store: Store): Promise<void>;
  /** Units that the store was not told of, because there were too many keys or the outcome is not known. */
  readonly unreported: number;
}

/** What was used of an account since the store was told last. */
interface Usage extends Account {
  units: number;
}

/** So many accounts are told of at a time. */
const BATCH = 32;

/**
 * A receipt of something that the store did not take: below zero, so that it is never handed to the store. It hides
 * a receipt of this side, or nothing at all.
 */
const localReceipt = (receipt: number): number => -1 - receipt;
export const NOTHING_TAKEN = localReceipt(0);

/** Whether units are handed back that the store did not take. */
export const isLocal = ({ cost, receipt = 0 }: Demand): boolean => cost < 0 && receipt < 0;

export function localDecisions({ processes, maxKeys }: LocalShare, clock: Clock): LocalDecisions {
  const memory = memoryStore({ maxKeys, clock });
  const shares = new WeakMap<Ledger, Ledger>();
  const usage = new Map<string, Usage>();
  let unreported = 0;

  function shareOf(ledger: Ledger): Ledger | undefined {
    const known = shares.get(ledger);
    if (known !== undefined) return known;
    const algorithm = ledger.algorithm.share?.(processes);
    if (algorithm === undefined) return undefined;
    const share = { space: ledger.space, algorithm };
    shares.set(ledger, share);
    return share;
  }

  /** What is asked of the share. A charge that the store keeps is not undone here. */
  function demandOnShare(demand: Demand, { error }: Outage): Demand | undefined {
    const ledger = shareOf(demand.ledger);
    if (ledger === undefined) return undefined;
    const { receipt, ...plain } = { ...demand, ledger };
    if (isPlace(demand)) return { ...plain, receipt: receipt! };
    const isOfStore = (receipt ?? 0) > 0 || !isUncharged(error);
    return demand.cost < 0 && isOfStore ? { ...plain, cost: 0 } : plain;
  }

  function add(demand: Demand, units: number): void {
    const { ledger, key } = demand;
    if (units === 0 || isPlace(demand) || ledger.algorithm.name === "block") return;
    const name = `${ledger.space.length}/${ledger.space}/${key}`;
    const known = usage.get(name);
    if (known !== undefined) {
      known.units += units;
      if (known.units <= 0) usage.delete(name);
    } else if (units > 0) {
      if (usage.size >= maxKeys) drop();
      usage.set(name, { ledger, key, units });
    }
  }

  function drop(): void {
    const [[name, oldest]] = usage as unknown as [[string, Usage]];
    usage.delete(name);
    unreported += stillUsed(oldest);
  }

  /** Units that are still in use of those that the store was not told of. */
  function stillUsed({ ledger, key, units }: Usage): number {
    const share = shareOf(ledger)!;
    const [now] = memory.take([{ ledger: share, key, cost: 0 }], { mode: Mode.peek });
    return Math.min(units, share.algorithm.capacity - now!.remaining, ledger.algorithm.capacity);
  }

  /** How the answer of the share is told: what it says of waiting holds for no longer than the outage. */
  function told(taken: Taken, demand: Demand, { retryAfterMs }: Outage): Taken {
    const isNever = demand.cost > demand.ledger.algorithm.capacity;
    return {
      ...taken,
      retryAfter: isNever ? taken.retryAfter : Math.min(taken.retryAfter, retryAfterMs * 1000),
      receipt: isPlace(demand) ? taken.receipt : localReceipt(taken.receipt),
      degraded: true,
    };
  }

  return {
    take(demands, options, outage) {
      const asked: Demand[] = [];
      for (const demand of demands) {
        const one = demandOnShare(demand, outage);
        if (one === undefined) return undefined;
        asked.push(one);
      }
      const isPeek = options.mode === Mode.peek;
      // A place that the store granted counts here from its first renewal on.
      const held = isPeek ? [] : asked.filter((_, i) => outage.isHeld(demands[i]!));
      if (held.length > 0) memory.take(held, { mode: Mode.force });
      const taken = memory.take(asked, options);
      const isMet = taken.every(({ allowed }) => allowed);
      // What was sent and not answered counts as charged by the store already.
      if (!isPeek && isMet && !(outage.error instanceof StoreTimeoutError)) {
        for (const [i, { cost }] of unique(asked)) add(demands[i]!, taken[i]!.granted ?? cost);
      }
      return taken.map((one, i) => told(one, demands[i]!, outage));
    },

    giveBack(demands) {
      for (const demand of demands) {
        const ledger = shareOf(demand.ledger);
        const receipt = isPlace(demand) ? demand.receipt! : localReceipt(demand.receipt!);
        if (ledger === undefined || receipt <= 0) continue;
        memory.take([{ ...demand, ledger, receipt }], { mode: Mode.force });
        add(demand, demand.cost);
      }
    },

    forget(accounts) {
      memory.forget(accounts);
      for (const { ledger, key } of accounts) usage.delete(`${ledger.space.length}/${ledger.space}/${key}`);
    },

    get isBehind() {
      return usage.size > 0;
    },

    async catchUp(store) {
      while (usage.size > 0) {
        const batch = [...usage].slice(0, BATCH).map(([name, one]) => {
          usage.delete(name);
          return { ...one, units: stillUsed(one) };
        });
        const failures: unknown[] = [];
        const tell = async ({ ledger, key, units }: Usage): Promise<void> => {
          if (units <= 0) return;
          try {
            await store.take([{ ledger, key, cost: units }], { mode: Mode.force });
          } catch (error) {
            failures.push(error);
            if (isUncharged(error)) add({ ledger, key, cost: units }, units);
            else unreported += units;
          }
        };
        await Promise.all(batch.map(tell));
        if (failures.length > 0) throw failures[0];
      }
    },

    get unreported() {
      return unreported;
    },
  };
}

/** The demands after merging, each once, with its place in the list. */
function unique(demands: readonly Demand[]): readonly (readonly [number, Demand])[] {
  const merged = mergeDemands(demands);
  return [...merged.entries()].filter(([i, demand]) => merged.indexOf(demand) === i);
}
