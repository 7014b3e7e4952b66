import { randomInt } from "node:crypto";
import { closeSync, constants, type FSWatcher, lutimes, openSync, unlink, unlinkSync, watch } from "node:fs";

/**
 * Wakes a process that has news in the file: an empty file of its own beside the database, which it watches and whose
 * time others set. A store in the same process is called instead.
 *
 * Where the system does not report changes (network file systems, some mounts of containers and virtual machines),
 * or where no file can be made, nothing rings: news wait until their reader asks by itself.
 */
export interface Bell {
  /** Names it in the database: a whole number of 48 random bits. */
  readonly id: number;
  /** Hear from now on, also when somebody has removed the file. Returns whether something may not have been heard before. */
  open(): boolean;
  /** Hear no more, and remove the file. */
  close(): void;
}

/** The bells of this process. */
const here = new Map<number, () => void>();

/** Never through a link that somebody put there, and for its owner alone. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

const fileOf = (path: string, id: number): string => `${path}-bell-${id.toString(16).padStart(12, "0")}`;

/** @param path of the database, or undefined if it has no file: then only this process is heard */
export function bell(path: string | undefined, rung: () => void): Bell {
  const id = randomInt(1, 2 ** 48 - 1);
  let watcher: FSWatcher | undefined;

  function watchFile(file: string): void {
    try {
      make(file);
      const started = watch(file, { persistent: false });
      watcher = started;
      started.on("error", () => started.close());
      started.on("change", (event) => {
        if (watcher !== started) return;
        // It was removed, as others do with those of processes that were silent for too long.
        if (event === "rename") stop();
        rung();
      });
    } catch {
      // Too many watchers, a folder that is full or closed: whoever waits asks by itself.
    }
  }

  function stop(): void {
    const last = watcher;
    watcher = undefined;
    last?.close();
  }

  return {
    id,
    open() {
      const isFirst = !here.has(id);
      here.set(id, rung);
      if (path === undefined || watcher !== undefined) return isFirst;
      watchFile(fileOf(path, id));
      return isFirst || watcher !== undefined;
    },
    close() {
      if (!here.delete(id)) return;
      stop();
      if (path === undefined) return;
      try {
        unlinkSync(fileOf(path, id));
      } catch {
        // Somebody else has removed it, or it was never there.
      }
    },
  };
}

/** Ring bells, of any process. Sets the time of what has the name of a bell, never makes it, and follows no link. */
export function ring(path: string | undefined, ids: Iterable<number>): void {
  const now = new Date();
  for (const id of ids) {
    const rung = here.get(id);
    if (rung !== undefined) rung();
    else if (path !== undefined) lutimes(fileOf(path, id), now, now, () => {});
  }
}

/** Remove the files of bells that nobody hears any more. */
export function removeBells(path: string | undefined, ids: Iterable<number>): void {
  if (path === undefined) return;
  for (const id of ids) if (!here.has(id)) unlink(fileOf(path, id), () => {});
}

function make(file: string): void {
  try {
    closeSync(openSync(file, NEW_FILE, 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
