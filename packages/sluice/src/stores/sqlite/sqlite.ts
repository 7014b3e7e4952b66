import { Mode } from "../../algorithms/algorithm.ts";
import { wholeNumber } from "../../algorithms/numbers.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { QueueSeat, QueueTerms, SharedQueue } from "../../limiter/shared-queue.ts";
import type { Account, Demand, Store, Taken, TakeOptions, Times } from "../../limiter/store.ts";
import { checkpoints, NET_PAGES, SQLITE_PAGES } from "./checkpoints.ts";
import { explained, isBusy } from "./errors.ts";
import { openFile } from "./open-file.ts";
import { sharedQueues } from "./queue/shared-queues.ts";
import { openSession, type Session } from "./session.ts";
import { takeAll } from "./take-all.ts";
import { transactions } from "./transactions.ts";
import type { SqliteDatabase } from "./types.ts";
import { assertSafeVersion } from "./version.ts";

export { SqliteVersionError, StoreBusyError, StoreFileError } from "./errors.ts";
export type { SqliteDatabase, SqliteStatement, SqliteValue } from "./types.ts";

interface CommonOptions {
  /**
   * How long a decision waits for other processes that write, in milliseconds. The event loop runs meanwhile.
   *
   * @default 1000
   */
  readonly busyTimeoutMs?: number;
  /** Its wall time is the time of the file. @default the clock of this machine */
  readonly clock?: Clock;
}

/** Either the file, which the store opens and closes itself, or a database that is open already. */
export type SqliteStoreOptions = CommonOptions &
  (
    | {
        /** A file on a local disk. Made if missing, for its owner alone (0600); its folder must be there. */
        readonly path: string;
        readonly database?: undefined;
      }
    | {
        /**
         * A `Database` of better-sqlite3 or a `DatabaseSync` of `node:sqlite`, with no transaction open. Its
         * `busy_timeout`, `journal_mode` and `synchronous` are set; closing it is left to its owner.
         */
        readonly database: SqliteDatabase;
        readonly path?: undefined;
      }
  );

/** Keeps states in a file that the processes of one machine share. Decisions are promises. */
export interface SqliteStore extends Store {
  readonly clock: Clock;
  /** @throws StoreBusyError, StoreFileError: then nothing was charged. */
  take(demands: readonly Demand[], options?: TakeOptions): Promise<readonly Taken[]>;
  forget(accounts: readonly Account[]): Promise<void>;
  /**
   * What a process should hear lies in the file, and a small empty file beside it rings (`limits.db-bell-…`, for the
   * owner of the process alone): changed when there is news, gone at `close`, or after a crash when the others have
   * noticed. Where changes of files are not reported (network file systems, some mounts of containers and virtual
   * machines), or the database has no file, news of other processes wait until their reader asks by itself.
   *
   * Grants that nobody has read in time go back: a process that was killed or stopped does not take its units along.
   */
  queue(terms: QueueTerms, seat: QueueSeat): SharedQueue;
  /** Waits for the decisions that are under way, then closes what the store has opened. */
  close(): Promise<void>;
}

/**
 * One exact limit for all processes of a machine, that outlives them.
 *
 * @example
 * const store = sqliteStore({ path: "/var/lib/my-server/limits.db" });
 * const limiter = createLimiter({ quota: "1000/day UTC", store });
 *
 * @throws SqliteVersionError when SQLite is missing or unsafe. @throws StoreFileError when the file cannot be used.
 */
export function sqliteStore(options: SqliteStoreOptions): SqliteStore {
  const { path, busyTimeoutMs = 1000, clock = systemClock } = options;
  wholeNumber("busyTimeoutMs", busyTimeoutMs, 0);
  const database = options.database ?? openFile(options.path);
  const file = path ?? "The database of the store";
  let opened: Session | undefined;
  let closed: Promise<void> | undefined;

  /** SQLite moves the log into the file by itself, during a decision, once it has so many pages. */
  const leaveTo = (pages: number): void => {
    if (path !== undefined && closed === undefined) database.exec(`PRAGMA wal_autocheckpoint = ${pages}`);
  };
  const session = (): Session => {
    if (opened === undefined) {
      opened = openSession(database, clock);
      leaveTo(NET_PAGES);
    }
    return opened;
  };
  const background = path === undefined ? undefined : checkpoints(path, () => leaveTo(SQLITE_PAGES));
  const line = transactions({ session, busyTimeoutMs, file });
  const close = async (): Promise<void> => {
    await line.drained();
    queues.close();
    await background?.close();
    if (path !== undefined) database.close();
  };

  try {
    assertSafeVersion(database);
    session();
  } catch (error) {
    // Another process is setting the same file up: the first decision waits for it.
    if (!isBusy(error)) {
      if (path !== undefined) database.close();
      throw explained(error, file);
    }
  }

  const run = <T>(isWriting: boolean, work: (session: Session, times: Times) => T): Promise<T> => {
    if (closed !== undefined) return Promise.reject(new Error("The SQLite store is closed, and decides no more."));
    if (isWriting) background?.wrote();
    return line.run({ isWriting, do: work });
  };
  const queues = sharedQueues({ run: (work) => run(true, work), database });

  return {
    clock,
    take: (demands, takeOptions) =>
      run(takeOptions?.mode !== Mode.peek, ({ states }, times) => takeAll(states, times, demands, takeOptions)),
    forget: (accounts) =>
      run(true, ({ states }) => {
        for (const account of accounts) states.forget(account);
      }),
    queue: queues.queue,
    document: (name) => ({
      read: () => run(false, ({ documents }) => documents().read(name)),
      replace: (version, text) => run(true, ({ documents }) => documents().replace(name, version, text)),
    }),
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}
