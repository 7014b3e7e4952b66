import { Mode } from "../../algorithms/algorithm.ts";
import type { Demand } from "../../limiter/store.ts";
import type { LeasedAccount } from "./account.ts";
import type { Books } from "./books.ts";
import type { Calls } from "./calls.ts";
import type { Moment } from "./moment.ts";

export interface LossOptions {
  readonly calls: Calls;
  readonly books: Books;
  /** The time of the mirrors. */
  time(): number;
}

/** Whoever was refused asks again within a second: so long, and one lease longer, a mark is left for them. In microseconds. */
const SEEN_BY_ALL = 1_000_000;

/** What to do when the store has lost its state. */
export interface Losses {
  /** The store knows of fewer units than this process alone has taken. */
  suspect(account: LeasedAccount, now: Moment): Promise<void>;
  /** Another process has found that the store lost its state, and grants are closed for so long. */
  hear(account: LeasedAccount, now: Moment, closedFor: number): Promise<void>;
}

/**
 * Finds out whether a store has lost its state, and brings back what processes know of it.
 *
 * Whoever notices marks the key for one lease and a second. Grants are refused meanwhile, and every process that meets the mark tells
 * the store what it has taken: a period of learning. A key that somebody has reset has another mark, and is no loss.
 */
export function losses({ calls, books, time }: LossOptions): Losses {
  /** Units in hand are not counted by the store any more: they are not used. */
  function close(account: LeasedAccount, now: Moment, closedFor: number): number {
    const units = account.mirror.units(time());
    account.clear();
    account.mirror.clear();
    account.closedUntil = now.elapsed + closedFor;
    return units;
  }

  async function tell({ space, key, mirror }: LeasedAccount, units: number, marks: readonly Demand[]): Promise<void> {
    books.stateLosses++;
    const sent = time();
    const [told] = await calls.take([{ ledger: space.grants, key, cost: units }, ...marks], { mode: Mode.force });
    mirror.add(units, sent, told!);
  }

  return {
    async suspect(account, now) {
      const { space, key } = account;
      const cost = space.terms.lease + SEEN_BY_ALL;
      const units = close(account, now, cost);
      try {
        const [reset] = await calls.take([{ ledger: space.resets, key, cost: 1 }], { mode: Mode.peek });
        if (reset!.allowed) await tell(account, units, [{ ledger: space.losses, key, cost }]);
        else account.closedUntil = 0;
      } catch {
        // Nothing is sent twice: an answer that is lost may have been a charge.
      }
    },
    async hear(account, now, closedFor) {
      const units = close(account, now, closedFor);
      try {
        if (units > 0) await tell(account, units, []);
      } catch {
        // As above.
      }
    },
  };
}
