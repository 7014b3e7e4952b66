/** Other processes kept the file locked for longer than a decision may wait. Nothing was charged: ask again later. */
export class StoreBusyError extends Error {
  override readonly name = "StoreBusyError";
  /** Stable: branch on this, not on the message. */
  readonly code = "STORE_BUSY";

  constructor(busyTimeoutMs: number, options?: ErrorOptions) {
    super(
      `Other processes kept the SQLite store locked for ${busyTimeoutMs} ms, so nothing was decided and nothing was charged.`,
      options,
    );
  }
}

/** The file cannot be opened, read or written. It stays as it is: somebody has to look at it. */
export class StoreFileError extends Error {
  override readonly name = "StoreFileError";
  /** Stable: branch on this, not on the message. */
  readonly code = "STORE_FILE";
}

/** SQLite is missing or has a defect that can destroy the file: another Node is needed. */
export class SqliteVersionError extends Error {
  override readonly name = "SqliteVersionError";
  /** Stable: branch on this, not on the message. */
  readonly code = "SQLITE_VERSION";
}

/** Primary result codes of SQLite, https://sqlite.org/rescode.html, and what they mean for a store. */
const MEANINGS: Readonly<Record<string, readonly [code: number, meaning: string]>> = {
  BUSY: [5, "is locked"],
  LOCKED: [6, "is locked"],
  READONLY: [8, "cannot be written"],
  IOERR: [10, "cannot be read or written: the disk reports an error"],
  CORRUPT: [11, "is damaged"],
  FULL: [13, "cannot grow: the disk is full"],
  CANTOPEN: [14, "cannot be opened"],
  NOTADB: [26, "is not an SQLite database"],
};

/** The primary result code of what `node:sqlite` (`errcode: 517`) or better-sqlite3 (`code: "SQLITE_BUSY_SNAPSHOT"`) threw. */
function resultCode(error: unknown): number | undefined {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return errcode & 0xff;
  const name = typeof code === "string" ? /^SQLITE_([A-Z]+)/.exec(code)?.[1] : undefined;
  return name === undefined ? undefined : MEANINGS[name]?.[0];
}

/** Whether somebody else holds a lock, and asking again will help. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === MEANINGS.BUSY![0] || code === MEANINGS.LOCKED![0];
}

/** What SQLite threw, as an error for people; anything else as it is. */
export function explained(error: unknown, file: string): unknown {
  const code = resultCode(error);
  const meaning = Object.values(MEANINGS).find(([known]) => known === code)?.[1];
  if (meaning === undefined) return error;
  return new StoreFileError(
    `${file} ${meaning} (${(error as Error).message}). It was left as it is: repair it, move it away, or name another file.`,
    { cause: error },
  );
}
