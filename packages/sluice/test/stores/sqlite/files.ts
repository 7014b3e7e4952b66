import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type SqliteDatabase, type SqliteStore, type SqliteStoreOptions, sqliteStore } from "sluice/sqlite";
import { afterEach } from "vitest";

const folders: string[] = [];
const stores: SqliteStore[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is gone after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-sqlite-"));
  folders.push(folder);
  return folder;
}

/** The path of a file that does not exist yet. */
export const newPath = (): string => join(newFolder(), "limits.db");

/** A store that is closed after the test. */
export function openStore(options: SqliteStoreOptions = { path: newPath() }): SqliteStore {
  const store = sqliteStore(options);
  stores.push(store);
  return store;
}

/**
 * What better-sqlite3 looks like from outside: the same calls, Buffers, and errors with the name of a result code.
 * (better-sqlite3 itself is a native module, and not installed here: the store was tried with its version 13 by hand.)
 */
export function likeBetterSqlite(path: string): SqliteDatabase & { readonly isOpen: boolean } {
  const database = new DatabaseSync(path);
  const named = <T>(call: () => T): T => {
    try {
      return call();
    } catch (error) {
      const { errcode, message } = error as Error & { errcode?: number };
      const name = { 5: "SQLITE_BUSY", 261: "SQLITE_BUSY_RECOVERY", 26: "SQLITE_NOTADB" }[errcode ?? 0];
      throw Object.assign(new Error(message), { name: "SqliteError", code: name ?? "SQLITE_ERROR" });
    }
  };
  const asBuffers = (row: Record<string, unknown> | undefined) =>
    row &&
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, value instanceof Uint8Array ? pooled(value) : value]),
    );
  const handle = {
    get isOpen() {
      return database.isOpen;
    },
    exec: (sql: string) => {
      named(() => database.exec(sql));
      return handle;
    },
    prepare: (sql: string) => {
      const statement = named(() => database.prepare(sql));
      return {
        get: (...values: (number | Uint8Array)[]) => asBuffers(named(() => statement.get(...values))),
        all: (...values: (number | Uint8Array)[]) => named(() => statement.all(...values)).map(asBuffers),
        run: (...values: (number | Uint8Array)[]) => named(() => statement.run(...values)),
      };
    },
    close: () => {
      database.close();
      return handle;
    },
  };
  return handle;
}

/** A Buffer that begins somewhere inside its memory, as small ones do: not where a double may begin. */
function pooled(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0]), bytes]).subarray(1);
}
