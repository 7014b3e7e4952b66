import type { Clock } from "../../limiter/clock.ts";
import type { Times } from "../../limiter/store.ts";
import { DOCUMENT_SCHEMA, type DocumentTable, documentTable } from "./documents.ts";
import { StoreFileError } from "./errors.ts";
import { CLOCK_SCHEMA, fileClock } from "./file-clock.ts";
import { QUEUE_SCHEMA, type QueueTable, queueTable } from "./queue/queue-table.ts";
import { STATE_SCHEMA, type StateTable, stateTable } from "./state-table.ts";
import type { SqliteDatabase } from "./types.ts";

/** A database that is set up: its states and queues, and transactions over them. */
export interface Session {
  readonly states: StateTable;
  /** The queues, for those who have any. */
  queues(): QueueTable;
  /** The shared texts. */
  documents(): DocumentTable;
  /**
   * Run `body` and commit; undo everything if either fails.
   *
   * @param isWriting takes the lock of writers first: what is read then cannot change before it is written
   */
  transact<T>(isWriting: boolean, body: (times: Times) => T): T;
}

/** Sets up a database. Never waits for a lock: throws what SQLite throws. */
export function openSession(database: SqliteDatabase, clock: Clock): Session {
  // A busy handler would sleep, and the event loop with it.
  database.exec("PRAGMA busy_timeout = 0");
  const { journal_mode: mode } = database.prepare("PRAGMA journal_mode = WAL").get() as { journal_mode: string };
  if (mode !== "wal" && mode !== "memory") {
    throw new StoreFileError(
      `The file must allow write-ahead logging, but its journal mode is "${mode}": is it on a network file system?`,
    );
  }
  // A crash of the process loses nothing; one of the machine loses the last decisions, and the file stays whole.
  database.exec("PRAGMA synchronous = NORMAL");
  const begin = database.prepare("BEGIN");
  const beginImmediate = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");

  function inTransaction<T>(isWriting: boolean, body: () => T): T {
    (isWriting ? beginImmediate : begin).run();
    try {
      const value = body();
      commit.run();
      return value;
    } catch (error) {
      rollback(database);
      throw error;
    }
  }

  const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema WHERE name GLOB 'sluice_*_1'");
  const { count } = tables.get() as { count: number | bigint };
  if (Number(count) !== 5)
    inTransaction(true, () => database.exec(CLOCK_SCHEMA + STATE_SCHEMA + QUEUE_SCHEMA + DOCUMENT_SCHEMA));
  const time = fileClock(database, clock);
  const states = stateTable(database);
  let queues: QueueTable | undefined;
  let documents: DocumentTable | undefined;

  return {
    states,
    queues() {
      queues ??= queueTable(database);
      return queues;
    },
    documents() {
      documents ??= documentTable(database);
      return documents;
    },
    transact: (isWriting, body) =>
      inTransaction(isWriting, () => {
        const times = time.read(isWriting);
        const value = body(times);
        if (isWriting) states.sweep(times);
        return value;
      }),
  };
}

/** Some failures have ended the transaction already, and then there is nothing to undo. */
function rollback(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK");
  } catch {}
}
