// A process of its own over one file, for tests that need several. Started as: node worker.ts <task> <path> <number>
import { writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createLimiter, perPeriod } from "../../../src/index.ts";
import { type SqliteDatabase, sqliteStore } from "../../../src/stores/sqlite/sqlite.ts";

const [, , task, path = "", count = ""] = process.argv;
const number = Number(count);
const say = (text: string) => writeSync(1, `${text}\n`);

/** A handle whose process is killed at its n-th statement. */
function killedAt(n: number): SqliteDatabase {
  const database = new DatabaseSync(path);
  let steps = 0;
  const step = () => {
    if (++steps !== n) return;
    process.kill(process.pid, "SIGKILL");
    // The signal may take a moment: nothing more happens until it is here.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  return {
    exec: (sql) => {
      step();
      return database.exec(sql);
    },
    prepare: (sql) => {
      const statement = database.prepare(sql);
      const stepped =
        <T>(call: (...values: (number | Uint8Array)[]) => T) =>
        (...values: (number | Uint8Array)[]) => {
          step();
          return call.apply(statement, values);
        };
      return { get: stepped(statement.get), all: stepped(statement.all), run: stepped(statement.run) };
    },
    close: () => database.close(),
  };
}

const tasks: Record<string, () => Promise<void>> = {
  /** So many calls, five at a time; says how many were allowed. */
  async spend() {
    const limiter = createLimiter({ quota: "500/h", store: sqliteStore({ path, busyTimeoutMs: 20_000 }) });
    let allowed = 0;
    for (let i = 0; i < number; i += 5) {
      const decisions = await Promise.all([1, 2, 3, 4, 5].map(() => limiter.consume("shared")));
      allowed += decisions.filter((one) => one.allowed).length;
    }
    say(String(allowed));
  },
  /** Calls without end, one at a time; says a word after each. */
  async loop() {
    const limiter = createLimiter({
      quota: "1000000/month UTC",
      store: sqliteStore({ path, busyTimeoutMs: 20_000 }),
    });
    for (;;) {
      await limiter.consume(["shared", "twin"]);
      say("+");
    }
  },
  /** Calls without end; says of each that was allowed when it began and when it was answered, in milliseconds. */
  async log() {
    const limiter = createLimiter({
      quota: perPeriod(40, number),
      store: sqliteStore({ path, busyTimeoutMs: 20_000 }),
    });
    for (;;) {
      const begun = Date.now();
      const { allowed } = await limiter.consume("shared");
      if (allowed) say(`${begun} ${Date.now()}`);
    }
  },
  /** One call of two keys, and killed at the n-th statement. */
  async killed() {
    const limiter = createLimiter({ quota: "1000/h", store: sqliteStore({ database: killedAt(number) }) });
    await limiter.consume(["shared", "twin"]);
    say("+");
  },
  /** Holds the lock of writers until told to let go. */
  async hold() {
    const database = new DatabaseSync(path);
    database.exec("BEGIN IMMEDIATE");
    say("held");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    database.exec("COMMIT");
    process.exit();
  },
};

await tasks[task!]!();
