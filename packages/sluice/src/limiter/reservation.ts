import { Mode } from "../algorithms/algorithm.ts";
import { block } from "../algorithms/block.ts";
import { wholeNumber } from "../algorithms/numbers.ts";
import { bindingOf, type Decision, decisionOf } from "./decision.ts";
import type { Quota } from "./quota.ts";
import { chain, type Reply, replyOf, type Timing } from "./reply.ts";
import type { Awaitable, Demand, Store, Taken } from "./store.ts";

/** A demand, and the quota that it falls under. */
export interface Claim {
  readonly quota: Pick<Quota, "name" | "limit">;
  readonly demand: Demand;
}

/** Units that were taken and are not settled yet. A reservation that is never settled stays taken. */
export interface Reservation<M extends Timing = Timing> {
  /** Whether the units were taken; the quota that matters most. */
  readonly decision: Decision;
  /** Each quota's decision, in the order of the quotas. */
  readonly decisions: readonly Decision[];
  /**
   * Settle for what the call really cost: what was taken too much goes back, what was taken too
   * little is charged even beyond the limit, because the work has been done. Settles once; later
   * calls change nothing.
   *
   * @default actualCost the reserved cost
   */
  commit(actualCost?: number): Reply<M, void>;
  /** Hand everything back that still counts. Settles once; later calls change nothing. */
  release(): Reply<M, void>;
}

/** A reservation whose claims can be settled by themselves. */
export interface Settlement extends Reservation {
  /** Settle the claims, by their place among all, for what they really cost; `undefined` leaves a claim as it is. */
  settle(costOf: (claim: number) => number | undefined): Reply<Timing, void>;
}

/** Ask the store for all claims at once: all of them are met, or none. */
export function reserve(store: Store, claims: readonly Claim[]): Awaitable<Settlement> {
  const demands = claims.map(({ demand }) => demand);
  return chain(store.take(demands), (taken) => reservationOf(store, claims, taken));
}

export function decisionsOf(claims: readonly Claim[], taken: readonly Taken[]): readonly Decision[] {
  return claims.map(({ quota }, i) => decisionOf(quota, taken[i]!));
}

function reservationOf(store: Store, claims: readonly Claim[], taken: readonly Taken[]): Settlement {
  const decisions = decisionsOf(claims, taken);
  const decision = bindingOf(decisions);
  /** Places of the claims that are not settled yet. */
  let open: readonly number[] | undefined;

  function settle(costOf: (claim: number) => number | undefined): Reply<Timing, void> {
    open ??= decision.allowed ? [...claims.keys()] : [];
    const left: number[] = [];
    const changes: Demand[] = [];
    for (const i of open) {
      const { demand } = claims[i]!;
      const cost = costOf(i);
      if (cost === undefined) left.push(i);
      else if (cost !== demand.cost && demand.ledger.algorithm !== block) {
        changes.push({ ...demand, cost: cost - demand.cost, receipt: demand.receipt ?? taken[i]!.receipt });
      }
    }
    open = left;
    if (changes.length === 0) return;
    return replyOf(
      store,
      chain(store.take(changes, { mode: Mode.force }), () => undefined),
    );
  }

  return {
    decision,
    decisions,
    commit: (actualCost) => {
      if (actualCost !== undefined) wholeNumber("actualCost", actualCost, 0);
      return settle((i) => actualCost ?? claims[i]!.demand.cost);
    },
    release: () => settle(() => 0),
    settle,
  };
}
