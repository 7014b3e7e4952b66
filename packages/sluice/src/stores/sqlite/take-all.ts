import { Mode } from "../../algorithms/algorithm.ts";
import { type Demand, decide, mergeDemands, type Taken, type TakeOptions, type Times } from "../../limiter/store.ts";
import type { StateTable } from "./state-table.ts";

/** Decides about accounts in a file, and remembers what was decided. Inside a transaction of the caller's. */
export function takeAll(
  states: StateTable,
  times: Times,
  demands: readonly Demand[],
  options: TakeOptions = {},
): readonly Taken[] {
  const before = demands.map((demand) => states.read(demand));
  const steps = decide(demands, before, times, options);
  const merged = mergeDemands(demands);
  return steps.map(({ state, ...taken }, i) => {
    const isFirst = merged.indexOf(merged[i]!) === i;
    if (isFirst && options.mode !== Mode.peek) states.write(merged[i]!, before[i], state, taken.resetAfter, times);
    return taken;
  });
}
