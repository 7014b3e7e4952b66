import { Mode } from "../../algorithms/algorithm.ts";
import type { LeasedAccount } from "./account.ts";
import type { Books } from "./books.ts";
import type { Calls } from "./calls.ts";
import type { Moment } from "./moment.ts";

export interface Loss {
  readonly account: LeasedAccount;
  readonly calls: Calls;
  readonly books: Books;
  readonly now: Moment;
  time(): number;
}

/**
 * What to do when the store knows of fewer units than this process alone has taken. Unless somebody has reset the key,
 * the store has lost its state: tell it what was taken, and ask for nothing for one lease, while others tell it too.
 */
export async function isLost({ account, calls, books, now, time }: Loss): Promise<boolean> {
  const { space, key, mirror } = account;
  const units = mirror.units(time());
  account.clear();
  mirror.clear();
  account.closedUntil = now.elapsed + space.life;
  try {
    const [mark] = await calls.take([{ ledger: space.resets, key, cost: 1 }], { mode: Mode.peek });
    if (!mark!.allowed) {
      account.closedUntil = 0;
      return false;
    }
    books.stateLosses++;
    const sent = time();
    const [told] = await calls.take([{ ledger: space.grants, key, cost: units }], { mode: Mode.force });
    mirror.add(units, sent, told!);
  } catch {
    // Nothing is sent twice: what the store does not know now it will learn with the next grants.
  }
  return true;
}
