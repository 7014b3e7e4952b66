import { newQueue, type QueueState } from "../../../limiter/queue-state.ts";
import type { Grant, Note } from "../../../limiter/shared-queue.ts";
import type { SqliteDatabase } from "../types.ts";
import { fromJson, queueFromJson, queueToJson, toJson } from "./json.ts";

export const QUEUE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS sluice_queues_1 (
    name BLOB PRIMARY KEY,
    state BLOB NOT NULL,
    expires INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS sluice_seats_1 (
    queue BLOB NOT NULL,
    owner BLOB NOT NULL,
    bell INTEGER NOT NULL,
    mail BLOB NOT NULL,
    PRIMARY KEY (queue, owner)
  ) WITHOUT ROWID;`;

/** What an owner has not read yet. Times are the store's. */
export interface Mail {
  readonly grants: readonly Grant[];
  readonly wakeAt?: number;
  readonly note?: Note;
}

/** An owner in a queue: where it hears, and what it has not read. */
export interface Seat {
  readonly bell: number;
  readonly mail: Mail | undefined;
}

/** The queues in a file. Everything happens inside a transaction of the caller's. */
export interface QueueTable {
  /** A queue that was never there, or cannot be read, is a new one. */
  read(name: Uint8Array): QueueState;
  /** @returns bells of queues that have expired, and that nobody else has */
  write(name: Uint8Array, state: QueueState, now: number, expires: number): readonly number[];
  seats(name: Uint8Array): ReadonlyMap<string, Seat>;
  sit(name: Uint8Array, owner: string, seat: Seat): void;
  /** @returns whether nobody else has this bell */
  leave(name: Uint8Array, owner: string, bell: number): boolean;
}

const NOTHING = Buffer.alloc(0);

export function queueTable(database: SqliteDatabase): QueueTable {
  const select = database.prepare("SELECT state FROM sluice_queues_1 WHERE name = ?");
  const exists = database.prepare("SELECT 1 AS found FROM sluice_queues_1 WHERE name = ?");
  const upsert = database.prepare("REPLACE INTO sluice_queues_1 (name, state, expires) VALUES (?, ?, ?)");
  const sweep = database.prepare("DELETE FROM sluice_queues_1 WHERE expires <= ?");
  const orphans = database.prepare(
    "SELECT queue, owner, bell FROM sluice_seats_1 WHERE queue NOT IN (SELECT name FROM sluice_queues_1)",
  );
  const selectSeats = database.prepare("SELECT owner, bell, mail FROM sluice_seats_1 WHERE queue = ?");
  const upsertSeat = database.prepare("REPLACE INTO sluice_seats_1 (queue, owner, bell, mail) VALUES (?, ?, ?, ?)");
  const removeSeat = database.prepare("DELETE FROM sluice_seats_1 WHERE queue = ? AND owner = ?");
  const countBell = database.prepare("SELECT count(*) AS count FROM sluice_seats_1 WHERE bell = ?");

  function leave(name: Uint8Array, owner: Uint8Array, bell: number): boolean {
    removeSeat.run(name, owner);
    return Number((countBell.get(bell) as { count: number | bigint }).count) === 0;
  }

  return {
    read(name) {
      const row = select.get(name) as { state: Uint8Array } | undefined;
      return (row && queueFromJson(row.state)) ?? newQueue();
    },
    write(name, state, now, expires) {
      const isNew = exists.get(name) === undefined;
      upsert.run(name, queueToJson(state), expires);
      if (!isNew) return [];
      // Queues begin seldom: then is the time to look for those that have ended.
      sweep.run(now);
      const left = orphans.all() as { queue: Uint8Array; owner: Uint8Array; bell: number | bigint }[];
      return left.flatMap(({ queue, owner, bell }) => (leave(queue, owner, Number(bell)) ? [Number(bell)] : []));
    },
    seats(name) {
      const rows = selectSeats.all(name) as { owner: Uint8Array; bell: number | bigint; mail: Uint8Array }[];
      return new Map(
        rows.map(({ owner, bell, mail }) => [
          Buffer.from(owner).toString(),
          { bell: Number(bell), mail: mailFrom(mail) },
        ]),
      );
    },
    sit(name, owner, { bell, mail }) {
      upsertSeat.run(name, Buffer.from(owner), bell, mail === undefined ? NOTHING : toJson(mail));
    },
    leave: (name, owner, bell) => leave(name, Buffer.from(owner), bell),
  };
}

/** Mail that cannot be read is lost: its owner finds out what is missing. */
function mailFrom(bytes: Uint8Array): Mail | undefined {
  const mail = fromJson<Mail>(bytes);
  return Array.isArray(mail?.grants) ? mail : undefined;
}
