import { closeSync, constants, openSync } from "node:fs";
import { dirname } from "node:path";
import { explained, StoreFileError } from "./errors.ts";
import type { SqliteDatabase } from "./types.ts";
import { nodeSqlite } from "./version.ts";

/**
 * The database in a file of its own, which only its owner may read: it holds keys of clients. SQLite
 * gives its two companions, `-wal` and `-shm`, the same permissions. A file that exists keeps its own.
 *
 * @throws StoreFileError that says what is wrong with the file. @throws SqliteVersionError without node:sqlite.
 */
export function openFile(path: string): SqliteDatabase {
  if (typeof path !== "string" || path === "" || path.startsWith(":")) {
    throw new TypeError(
      `path must name a file, but it is ${JSON.stringify(path)}. For state in memory there is memoryStore().`,
    );
  }
  const { DatabaseSync } = nodeSqlite();
  touch(path);
  try {
    return new DatabaseSync(path);
  } catch (error) {
    throw explained(error, path);
  }
}

function touch(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
  } catch (error) {
    throw new StoreFileError(`${path} cannot be used as a store: ${reason(error as NodeJS.ErrnoException, path)}.`, {
      cause: error,
    });
  }
}

function reason({ code, message }: NodeJS.ErrnoException, path: string): string {
  switch (code) {
    case "ENOENT":
      return `the folder ${dirname(path)} does not exist, and is not made by the store`;
    case "ENOTDIR":
      return `${dirname(path)} is not a folder`;
    case "EISDIR":
      return "it is a folder, but must be a file";
    case "EACCES":
    case "EPERM":
      return "this user may not write it";
    case "EROFS":
      return "its file system is read-only";
    default:
      return message;
  }
}
