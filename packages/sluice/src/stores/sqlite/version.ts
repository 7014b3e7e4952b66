import { SqliteVersionError } from "./errors.ts";
import type { SqliteDatabase } from "./types.ts";

/** Official builds of Node with an SQLite that is safe. */
const NODES = "Node 22.22.3, 24.15.0, 25.9.0, 26 or later, as nodejs.org builds it";

/**
 * The floor under SQLite: from 3.7.0 to 3.51.2 a WAL that is reset while another connection writes can
 * corrupt the file (https://sqlite.org/wal.html, "the WAL-reset bug"). Fixed in 3.51.3, and in the
 * backports 3.50.7 and 3.44.6. Several connections are what the store is for, so there is no way around.
 *
 * @throws SqliteVersionError that says what was found
 */
export function assertSafeVersion(database: SqliteDatabase): void {
  const { version } = database.prepare("SELECT sqlite_version() AS version").get() as { version: string };
  if (isSafe(version)) return;
  throw new SqliteVersionError(
    `SQLite ${version} can corrupt a file that several processes write (the WAL-reset bug). ` +
      `It is fixed in 3.51.3, 3.50.7 and 3.44.6. Use ${NODES}, or pass a better-sqlite3 handle with such a version.`,
  );
}

/** The module of Node, loaded when a store is made: a Node without it can still load this file. */
type NodeSqlite = { readonly DatabaseSync: new (path: string) => SqliteDatabase };

/** @throws SqliteVersionError when this Node has none */
export function nodeSqlite(builtin: ((id: string) => unknown) | undefined = process.getBuiltinModule): NodeSqlite {
  const sqlite = builtin?.("node:sqlite") as NodeSqlite | undefined;
  if (sqlite !== undefined) return sqlite;
  throw new SqliteVersionError(
    `This is Node ${process.versions.node}, which has no node:sqlite. Use ${NODES}, or pass a better-sqlite3 handle: sqliteStore({ database }).`,
  );
}

function isSafe(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  if (major !== 3) return major > 3;
  if (minor === 50) return patch >= 7;
  if (minor === 44) return patch >= 6;
  return minor > 51 || (minor === 51 && patch >= 3);
}
