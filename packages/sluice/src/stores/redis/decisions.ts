import { Mode, type State } from "../../algorithms/algorithm.ts";
import { type Account, type Demand, decide, mergeDemands, type Taken, type TakeOptions } from "../../limiter/store.ts";
import type { Batches } from "./batches.ts";
import type { Reader } from "./reader.ts";
import { Ask } from "./script.ts";
import { bySlot } from "./slot.ts";
import { takenOf } from "./taken.ts";

/** Decides about demands whose accounts are all in one slot. */
export interface Decisions {
  /** Charges, in Redis: all demands or none. */
  take(demands: readonly Demand[], mode: Mode): Promise<readonly Taken[]>;
  /** Decides here, about what Redis has. Any slots will do. */
  peek(demands: readonly Demand[], options: TakeOptions): Promise<readonly Taken[]>;
  forget(accounts: readonly Account[]): Promise<void>;
}

export function decisions(batches: Batches): Decisions {
  return {
    take(demands, mode) {
      const ask = mode === Mode.force ? Ask.force : Ask.take;
      if (demands.length === 1) return batches.ask(ask, demands, (reply) => [takenOf(reply, demands[0]!)]);
      const merged = mergeDemands(demands);
      const distinct = [...new Set(merged)];
      return batches.ask(ask, distinct, (reply) => {
        const taken = distinct.map((demand) => takenOf(reply, demand));
        return merged.map((demand) => taken[distinct.indexOf(demand)]!);
      });
    },

    async peek(demands, options) {
      const distinct = [...new Set(mergeDemands(demands))];
      const groups = [...bySlot(distinct, batches.slotOf).values()];
      const readings = await Promise.all(
        groups.map((group) =>
          batches.ask(Ask.read, group, (reply) => ({ now: reply.now, states: group.map(() => stateOf(reply)) })),
        ),
      );
      const now = Math.max(...readings.map((reading) => reading.now));
      const states = readings.flatMap((reading) => reading.states);
      const accounts = groups.flat();
      const given = demands.map((demand) => states[accounts.findIndex((other) => isSame(other, demand))]);
      const steps = decide(demands, given, { elapsed: now, wall: now }, { ...options, mode: Mode.peek });
      return steps.map(({ state: _, ...taken }) => taken);
    },

    async forget(accounts) {
      const groups = bySlot(accounts, batches.slotOf);
      await Promise.all([...groups.values()].map((group) => batches.ask(Ask.forget, group, () => undefined)));
    },
  };
}

function stateOf(reply: Reader): State | undefined {
  const length = reply.next();
  return length === 0 ? undefined : Array.from({ length }, () => reply.next());
}

const isSame = (a: Account, b: Account): boolean => a.key === b.key && a.ledger.space === b.ledger.space;
