import { Mode } from "../algorithms/algorithm.ts";
import type { Demand, Store, Taken } from "../limiter/store.ts";
import { isUncharged } from "./errors.ts";

/** Places of concurrency limits that this process holds, and those that it could not give back yet. */
export interface HeldPlaces {
  /** Whether a demand renews a place that was granted. */
  has(demand: Demand): boolean;
  /** The store has answered. */
  answered(demands: readonly Demand[], taken: readonly Taken[]): void;
  /** The store has failed, and this was answered in its place. */
  failed(demands: readonly Demand[], taken: readonly Taken[], error: unknown): void;
  /** Whether places wait to be given back. */
  readonly isBehind: boolean;
  /** Give back what waits. Giving back twice is nothing, so this may be tried again. @throws what the store throws */
  catchUp(store: Store): Promise<void>;
}

/** More are forgotten, the oldest first: their leases run out. */
const MAX_PLACES = 10_000;
/** So many are given back at a time. */
const BATCH = 32;

/** A demand on a place, which is known by its receipt: to take it again is to renew it. */
export const isPlace = ({ ledger: { algorithm }, receipt = 0 }: Demand): boolean =>
  algorithm.name === "concurrency" && receipt > 0;

const nameOf = ({ ledger, key, receipt }: Demand): string => `${receipt}/${ledger.space.length}/${ledger.space}/${key}`;

export function heldPlaces(): HeldPlaces {
  const held = new Map<string, Demand>();
  const unreleased = new Map<string, Demand>();

  function remember(places: Map<string, Demand>, demand: Demand): void {
    const name = nameOf(demand);
    places.delete(name);
    if (places.size >= MAX_PLACES) places.delete(places.keys().next().value!);
    places.set(name, demand);
  }

  function owe(demand: Demand): void {
    remember(unreleased, { ...demand, cost: -Math.abs(demand.cost) });
  }

  return {
    has: (demand) => demand.cost > 0 && isPlace(demand) && held.has(nameOf(demand)),

    answered(demands, taken) {
      const isMet = taken.every(({ allowed }) => allowed);
      for (const [i, demand] of demands.entries()) {
        if (!isPlace(demand)) continue;
        if (demand.cost < 0) unreleased.delete(nameOf(demand));
        if (demand.cost > 0 && isMet) remember(held, demand);
        else if (demand.cost < 0 || !taken[i]!.allowed) held.delete(nameOf(demand));
      }
    },

    failed(demands, taken, error) {
      const isMet = taken.every(({ allowed }) => allowed);
      for (const demand of demands) {
        if (!isPlace(demand) || demand.cost === 0) continue;
        const wasHeld = held.has(nameOf(demand));
        if (demand.cost < 0) {
          held.delete(nameOf(demand));
          if (wasHeld || !isUncharged(error)) owe(demand);
        } else if (isMet) {
          if (wasHeld || !isUncharged(error)) remember(held, demand);
        } else if (!wasHeld && !isUncharged(error)) {
          // The store may have granted what the caller was refused.
          owe(demand);
        }
      }
    },

    get isBehind() {
      return unreleased.size > 0;
    },

    async catchUp(store) {
      while (unreleased.size > 0) {
        const batch = [...unreleased].slice(0, BATCH);
        for (const [name] of batch) unreleased.delete(name);
        const outcomes = await Promise.allSettled(
          batch.map(async ([, demand]) => store.take([demand], { mode: Mode.force })),
        );
        const lost = outcomes.findLast(({ status }) => status === "rejected");
        for (const [i, { status }] of outcomes.entries()) if (status === "rejected") owe(batch[i]![1]);
        if (lost?.status === "rejected") throw lost.reason;
      }
    },
  };
}
