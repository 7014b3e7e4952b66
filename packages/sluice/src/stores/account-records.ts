import type { Verdict } from "../algorithms/algorithm.ts";
import type { Account } from "../limiter/store.ts";

/** What this process did to an account since the record was made. */
export interface AccountRecord {
  readonly name: string;
  /** Who needs the record: calls under way, and what was remembered. */
  users: number;
  /** Charges. */
  changes: number;
  /** What nothing that is known of the account outlives: units handed back, forced charges, blocks, resets. */
  blows: number;
  /** What the latest charge left; undefined when that is not known. */
  latest: Pick<Verdict, "remaining" | "resetAfter"> | undefined;
  /** When that was, in microseconds. */
  at: number;
}

/** Records of accounts, for as long as somebody needs them. */
export interface AccountRecords {
  of(account: Account): AccountRecord;
  join(record: AccountRecord): void;
  leave(record: AccountRecord): void;
}

export function accountRecords(): AccountRecords {
  const records = new Map<string, AccountRecord>();
  return {
    of({ ledger: { space }, key }) {
      const name = `${space.length}/${space}${key}`;
      let record = records.get(name);
      if (record === undefined) {
        record = { name, users: 0, changes: 0, blows: 0, latest: undefined, at: 0 };
        records.set(name, record);
      }
      return record;
    },
    join(record) {
      record.users++;
    },
    leave(record) {
      if (--record.users === 0) records.delete(record.name);
    },
  };
}
