// One of many processes that want one lock. Started as: node worker.ts <task> <store> <folder> <leaseMs>
import { writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LockError, withLock } from "../../../src/outbound/index.ts";
import { openNamed } from "../../processes/stores.ts";

const [, , task = "", name = "", folder = "", lease = "300"] = process.argv;
const leaseMs = Number(lease);
const store = await openNamed(name);
const say = (...words: readonly unknown[]) => writeSync(1, `${words.join(" ")}\n`);
/** One clock for all processes of a machine. */
const now = () => process.hrtime.bigint();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the lock guards: it refuses a token that is smaller than one it has seen. */
function write(token: number): "accepted" | "refused" {
  const resource = new DatabaseSync(join(folder, "resource.db"), { timeout: 20_000 });
  resource.exec("CREATE TABLE IF NOT EXISTS resource (id INTEGER PRIMARY KEY, token INTEGER)");
  resource.exec("INSERT OR IGNORE INTO resource VALUES (0, 0)");
  const { changes } = resource.prepare("UPDATE resource SET token = ?1 WHERE token <= ?1").run(token);
  resource.close();
  return changes === 1 ? "accepted" : "refused";
}

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** Takes the lock without end, and says when it surely was inside. */
  async hammer() {
    const line = async () => {
      for (;;) {
        await withLock(
          store,
          "job",
          async ({ token }) => {
            say("in", token, now());
            await pause(Math.random() * 4);
            say("in", token, now());
          },
          { leaseMs, maxWaitMs: 60_000 },
        );
        await pause(Math.random() * 2);
      }
    };
    await Promise.all([line(), line()]);
  },
  /** Keeps the lock until it loses it, and then writes all the same. */
  async keep() {
    const alive = setInterval(() => {}, 1_000);
    const work = withLock(
      store,
      "job",
      async ({ token, signal }) => {
        say("held", token);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        say("lost", (signal.reason as LockError).code, write(token));
      },
      { leaseMs },
    );
    await work.catch((error) => say("failed", error instanceof LockError ? error.code : error));
    clearInterval(alive);
  },
  /** Waits for the lock, and writes. */
  async write() {
    await withLock(store, "job", ({ token }) => say("wrote", token, write(token)), { leaseMs, maxWaitMs: 60_000 });
  },
};

await tasks[task]!();
await store.close?.();
