import { Mode } from "../../algorithms/algorithm.ts";
import type { Clock } from "../../limiter/clock.ts";
import { chain } from "../../limiter/reply.ts";
import { type Awaitable, type Demand, mergeDemands, type Taken } from "../../limiter/store.ts";
import type { LeasedAccount } from "./account.ts";
import type { Calls } from "./calls.ts";
import { momentOf } from "./moment.ts";
import type { Part, Spaces } from "./spaces.ts";

export interface SettlementOptions {
  readonly spaces: Spaces;
  readonly calls: Calls;
  readonly clock: Clock;
  time(): number;
}

/**
 * Changes that are always allowed: units that are handed back, charges beyond the limit, and blocks.
 *
 * Units go back into the lot that their receipt names while it is alive, else to the store under the same receipt.
 * The receipt of a call that took units of several lots is that of the oldest. That is the safe side: the store then
 * takes the units off its oldest charge, and goes on counting the newer ones for longer than it has to. With the newest
 * receipt it would stop counting units that other calls go on using.
 */
export function settlements({ spaces, calls, clock, time }: SettlementOptions) {
  return (demands: readonly Demand[]): Awaitable<readonly Taken[]> => {
    const now = momentOf(clock);
    const merged = mergeDemands(demands);
    const parts = merged.map((demand) => spaces.part(demand, now));
    const asked: Demand[] = [];
    const indexes: (number | undefined)[] = [];
    for (const [i, part] of parts.entries()) {
      const first = merged.indexOf(part.demand);
      indexes.push(first < i ? indexes[first] : ask(part));
    }

    /** Where in the list of what the store is asked the part is; undefined when it need not be. */
    function ask(part: Part): number | undefined {
      const { demand, atStore, account, fact } = part;
      if (demand.cost >= 0 || account === undefined) {
        fact?.block(now.elapsed, demand.cost);
        const isUnknown = demand.cost < 0 && demand.receipt === undefined;
        const marks = isUnknown ? markOf(demand) : [];
        asked.push(atStore, ...marks);
        return asked.length - 1 - marks.length;
      }
      const missing = -demand.cost - account.putBack(-demand.cost, demand.receipt, now);
      if (missing === 0) return undefined;
      account.mirror.takeOff(missing, time());
      const receipt = demand.receipt ?? account.lastReceipt;
      const marks = receipt === undefined ? markOf(demand) : [];
      asked.push({ ...atStore, cost: -missing, ...(receipt !== undefined && { receipt }) }, ...marks);
      return asked.length - 1 - marks.length;
    }

    /** Units that some other process was charged: let it not take that for a loss of the store. */
    function markOf({ ledger, key }: Demand): Demand[] {
      const space = spaces.all.get(ledger.space);
      return space === undefined ? [] : [{ ledger: space.resets, key, cost: space.memory }];
    }

    const sent = time();
    const answers = asked.length === 0 ? [] : calls.take(asked, { mode: Mode.force });
    return chain(answers, (found) =>
      parts.map(({ demand, account }, i) => {
        const answer = indexes[i] === undefined ? undefined : found[indexes[i]]!;
        if (account === undefined) return answer!;
        if (answer === undefined) return settled(account, now.elapsed);
        if (demand.cost > 0 && merged.indexOf(demand) === i) account.mirror.add(demand.cost, sent, answer);
        return answer;
      }),
    );

    function settled(account: LeasedAccount, elapsed: number): Taken {
      const taken = { allowed: true, remaining: 0, retryAfter: 0, resetAfter: 0, receipt: 0 };
      account.fill(taken, { ...now, elapsed });
      return taken;
    }
  };
}
