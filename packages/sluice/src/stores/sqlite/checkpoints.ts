import { Worker } from "node:worker_threads";

/**
 * Moves what was written from the write-ahead log into the file itself, in a thread: that writes many pages and
 * waits for the disk, and the event loop must not. What SQLite does by itself stays as a net far below.
 */
export interface Checkpoints {
  /** Something has been written. */
  wrote(): void;
  /** Resolves once the thread has let go of the file. */
  close(): Promise<void>;
}

/** Pages in the log at which SQLite would act by itself, in the middle of somebody's decision. */
export const NET_PAGES = 20_000;
/** SQLite's own number, for when there is no thread. */
export const SQLITE_PAGES = 1_000;
/** Looks at the log after so many writes: most change about a page. */
const LOOK_EVERY = 250;

/** What the thread needs to know. */
const LIMITS = {
  /** Fewer pages than these are not worth the trouble. */
  worthwhile: 1_000,
  /** From here on writers wait until the log can begin anew: otherwise it would grow under a load without a break. */
  long: 4_000,
  /** So long it waits for them, in milliseconds: others retry meanwhile. */
  timeout: 100,
} as const;

/**
 * As text, because a bundle of a program has no second file. A version of SQLite that does not know NOOP does
 * what PASSIVE says.
 */
const THREAD = `
  const { parentPort, workerData: { path, worthwhile, long, timeout } } = require("node:worker_threads");
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = new DatabaseSync(path, { timeout });
  database.exec("PRAGMA synchronous = NORMAL");
  const checkpoint = (mode) => database.prepare("PRAGMA wal_checkpoint(" + mode + ")").get();
  parentPort.on("message", (wish) => {
    if (wish === "close") {
      database.close();
      return parentPort.close();
    }
    const { log, checkpointed } = checkpoint("NOOP");
    if (log - checkpointed >= worthwhile || log >= long) checkpoint("PASSIVE");
    if (log >= long) checkpoint("RESTART");
    parentPort.postMessage(undefined);
  });
`;

/** @param failed there is no thread, or it has ended: somebody else has to do its work */
export function checkpoints(path: string, failed: () => void): Checkpoints {
  let writes = 0;
  /** Asked, and has not answered yet. */
  let isAsked = false;
  let thread: Worker | undefined;
  let ended: Promise<unknown> | undefined;

  function start(): Worker | undefined {
    try {
      const started = new Worker(THREAD, { eval: true, workerData: { path, ...LIMITS }, name: "sluice-checkpoints" });
      ended = new Promise((resolve) => started.once("exit", resolve));
      started.on("message", () => {
        isAsked = false;
      });
      started.once("error", failed);
      // It keeps no process alive.
      started.unref();
      return started;
    } catch {
      // Not every program may start threads: see Node's --permission.
      failed();
      return undefined;
    }
  }

  return {
    wrote() {
      if (isAsked || ++writes < LOOK_EVERY) return;
      writes = 0;
      isAsked = true;
      thread ??= start();
      thread?.postMessage("look");
    },
    async close() {
      thread?.ref();
      thread?.postMessage("close");
      await ended;
    },
  };
}
