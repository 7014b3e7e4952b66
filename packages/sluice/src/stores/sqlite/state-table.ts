import type { State } from "../../algorithms/algorithm.ts";
import type { Account, Times } from "../../limiter/store.ts";
import { accountName } from "./account-name.ts";
import type { SqliteDatabase } from "./types.ts";

export const STATE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS sluice_states_1 (
    name BLOB PRIMARY KEY,
    state BLOB NOT NULL,
    is_wall INTEGER NOT NULL,
    expires INTEGER NOT NULL
  ) WITHOUT ROWID;`;

/** The states in a file. Everything happens inside a transaction of the caller's. */
export interface StateTable {
  read(account: Account): State | undefined;
  /**
   * Remember a state that was `before`: nothing is written when it has not changed.
   *
   * @param resetAfter time until it is as good as new, in microseconds
   */
  write(account: Account, before: State | undefined, state: State, resetAfter: number, times: Times): void;
  forget(account: Account): void;
  /** Drop some of what has ended: twice as many looks as there were newcomers, so that it leaves faster than it comes. */
  sweep(times: Times): void;
}

/** What has ended stays for a minute, in microseconds: whoever calls now and then is not written anew each time. */
const LINGER = 60_000_000;
const SWEEP = 2;
/** Before every name. */
const START = Buffer.from([0]);

interface Expiring {
  readonly name: Uint8Array;
  readonly is_wall: number | bigint;
  readonly expires: number | bigint;
}

export function stateTable(database: SqliteDatabase): StateTable {
  const select = database.prepare("SELECT state FROM sluice_states_1 WHERE name = ?");
  const upsert = database.prepare("REPLACE INTO sluice_states_1 (name, state, is_wall, expires) VALUES (?, ?, ?, ?)");
  /** Others may go on with this state under numbers by which it counts for longer. */
  const upsertCarried = database.prepare(
    `INSERT INTO sluice_states_1 (name, state, is_wall, expires) VALUES (?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET state = excluded.state, expires = max(expires, excluded.expires)`,
  );
  const remove = database.prepare("DELETE FROM sluice_states_1 WHERE name = ?");
  const next = database.prepare(
    "SELECT name, is_wall, expires FROM sluice_states_1 WHERE name > ? ORDER BY name LIMIT ?",
  );
  let newcomers = 0;
  let cursor: Uint8Array = START;

  return {
    read(account) {
      const row = select.get(accountName(account)) as { state: Uint8Array } | undefined;
      return row && fromBytes(row.state);
    },
    write(account, before, state, resetAfter, times) {
      if (before !== undefined && isSame(before, state)) return;
      const { algorithm } = account.ledger;
      const now = times[algorithm.clock];
      if (algorithm.carries ? state.every((cell) => cell === 0) : algorithm.isFresh([...state], 0, now)) {
        if (before !== undefined) remove.run(accountName(account));
        return;
      }
      if (before === undefined) newcomers++;
      const expires = Math.min(now + resetAfter + LINGER, Number.MAX_SAFE_INTEGER);
      const put = algorithm.carries ? upsertCarried : upsert;
      put.run(accountName(account), toBytes(state), algorithm.clock === "wall" ? 1 : 0, expires);
    },
    forget(account) {
      remove.run(accountName(account));
    },
    sweep({ elapsed, wall }) {
      if (newcomers === 0) return;
      const looks = SWEEP * newcomers;
      newcomers = 0;
      const rows = next.all(cursor, looks) as Expiring[];
      cursor = rows.length < looks ? START : rows[rows.length - 1]!.name;
      for (const { name, is_wall, expires } of rows) {
        if (Number(expires) <= (Number(is_wall) === 1 ? wall : elapsed)) remove.run(name);
      }
    },
  };
}

/** Integers up to 2^53 as doubles: exact, and read without parsing. */
function toBytes(state: State): Buffer {
  return Buffer.from(Float64Array.from(state).buffer);
}

function fromBytes(bytes: Uint8Array): State {
  return Array.from(new Float64Array(new Uint8Array(bytes).buffer));
}

function isSame(a: State, b: State): boolean {
  return a.length === b.length && a.every((cell, i) => cell === b[i]);
}
