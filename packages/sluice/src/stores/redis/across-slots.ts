import { Mode } from "../../algorithms/algorithm.ts";
import { type Demand, mergeDemands, type Taken } from "../../limiter/store.ts";
import type { Decisions } from "./decisions.ts";
import { bySlot } from "./slot.ts";

/**
 * All-or-nothing over several slots of a Cluster, which no script can reach at once.
 *
 * First it looks: what would be refused costs nothing. Then it takes, slot by slot in the order of their numbers. When
 * another call was faster somewhere, what was taken before is given back by its receipt. So a limit never lets more
 * pass than it says; two calls at the same time may both be refused where one of them could have passed.
 */
export async function takeAcrossSlots(
  { take, peek }: Decisions,
  demands: readonly Demand[],
  slotOf: (demand: Demand) => number,
  mode: Mode,
): Promise<readonly Taken[]> {
  const merged = mergeDemands(demands);
  const groups = [...bySlot([...new Set(merged)], slotOf)].sort(([a], [b]) => a - b).map(([, group]) => group);
  if (mode === Mode.take && demands.some(({ cost }) => cost > 0)) {
    const outlook = await peek(demands, {});
    const isRefused = (demand: Demand) => !outlook[merged.indexOf(demand)]!.allowed;
    const refusing = groups.filter((group) => group.some(isRefused));
    await Promise.all(refusing.map((group) => beRefused(take, group)));
    if (refusing.length > 0) return outlook;
  }
  const answers = new Map<Demand, Taken>();
  for (const group of groups) {
    const taken = await take(group, mode).catch(async (error: unknown) => {
      await giveBack(take, answers).catch(() => {});
      throw error;
    });
    if (taken.some(({ allowed }) => !allowed)) {
      await giveBack(take, answers);
      const stand = await peek(merged.map(asItStands), {});
      const refused = new Map(group.map((demand, i) => [demand, taken[i]!]));
      return merged.map((demand, i) => refused.get(demand) ?? withGrant(demand, stand[i]!));
    }
    for (const [i, demand] of group.entries()) answers.set(demand, taken[i]!);
  }
  return merged.map((demand) => answers.get(demand)!);
}

/** A refused step may have something to write: a state from the future is brought back. */
async function beRefused(take: Decisions["take"], group: readonly Demand[]): Promise<void> {
  const taken = await take(group, Mode.take);
  if (taken.some(({ allowed }) => !allowed)) return;
  await giveBack(take, new Map(group.map((demand, i) => [demand, taken[i]!])));
}

/** Undoes charges, each by its receipt. */
async function giveBack(take: Decisions["take"], answers: ReadonlyMap<Demand, Taken>): Promise<void> {
  const charged = [...answers].filter(([{ cost }]) => cost > 0);
  await Promise.all(
    charged.map(([demand, { receipt, granted = demand.cost }]) => {
      const { least: _, ...rest } = demand;
      return take([{ ...rest, cost: -granted, receipt }], Mode.take);
    }),
  );
}

function asItStands({ least: _, ...demand }: Demand): Demand {
  return { ...demand, cost: 0 };
}

function withGrant({ least }: Demand, taken: Taken): Taken {
  return least === undefined ? taken : { ...taken, granted: 0 };
}
