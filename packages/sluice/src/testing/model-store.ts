import { Mode, type State } from "../algorithms/algorithm.ts";
import type { Clock } from "../limiter/clock.ts";
import { type Account, type Demand, decide, type Taken, type TakeOptions } from "../limiter/store.ts";

/** The simplest store there is: `decide` over a map, forgetting nothing. What other stores are compared with. */
export interface ModelStore {
  take(demands: readonly Demand[], options?: TakeOptions): readonly Taken[];
}

export function modelStore(clock: Clock): ModelStore {
  const states = new Map<string, State>();
  const nameOf = ({ ledger, key }: Account) => JSON.stringify([ledger.space, key]);
  return {
    take(demands, options = {}) {
      const times = { elapsed: clock.elapsed(), wall: clock.wall() };
      const given = demands.map((demand) => states.get(nameOf(demand)));
      const steps = decide(demands, given, times, options);
      if (options.mode !== Mode.peek) {
        for (const [i, demand] of demands.entries()) states.set(nameOf(demand), steps[i]!.state);
      }
      return steps.map(({ state: _, ...taken }) => taken);
    },
  };
}
