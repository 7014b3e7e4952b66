/** What is bound to a statement. */
export type SqliteValue = number | Uint8Array;

/** A prepared statement, as far as the store needs it. */
export interface SqliteStatement {
  get(...values: SqliteValue[]): unknown;
  all(...values: SqliteValue[]): unknown[];
  run(...values: SqliteValue[]): unknown;
}

/** An open database: a `DatabaseSync` of `node:sqlite` and a `Database` of better-sqlite3 are of this shape. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}
