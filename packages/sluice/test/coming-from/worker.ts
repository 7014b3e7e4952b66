// One of several servers of a user. Started as: node worker.ts <task> <file> <noonOffsetMs>
import { writeSync } from "node:fs";
import { createLimiter } from "../../src/index.ts";
import { systemClock } from "../../src/limiter/clock.ts";
import { createUpstreams, OutboundError, withLock } from "../../src/outbound/index.ts";
import { sqliteStore } from "../../src/stores/sqlite/sqlite.ts";

const [, , task = "", path = "", offset = "0"] = process.argv;
/** Days do not change while a test runs: the clocks of all workers say that it is noon or a little later. */
const clock = { ...systemClock, wall: () => systemClock.wall() + Number(offset) * 1000 };
const store = sqliteStore({ path, clock, busyTimeoutMs: 20_000 });
const say = (...words: readonly unknown[]) => writeSync(1, `${words.join(" ")}\n`);
const calls = async (count: number, call: () => unknown) => {
  await Promise.all(Array.from({ length: count }, call));
};

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** `checkLimit` as it is: may this call be made now? */
  async check() {
    const limiter = createLimiter({ name: "infura", quota: "100/day UTC", store });
    await calls(200, async () => say((await limiter.consume("infura")).allowed ? "allowed" : "refused"));
  },
  /** The same through an upstream, which makes the calls. */
  async run() {
    const { infura } = createUpstreams({ infura: { limit: "100/day UTC", maxWaitMs: 6_000 } }, { store });
    await calls(200, () =>
      infura
        .run(() => say("allowed"))
        .catch((error) => say(error instanceof OutboundError && error.reason === "deadline" ? "refused" : error)),
    );
    await infura.close();
  },
  /** `canMakeRequest`: a window that rolls. */
  async window() {
    const limiter = createLimiter({ name: "coingecko", quota: "10/h", store });
    await calls(20, async () => say((await limiter.consume("coingecko")).allowed ? "allowed" : "refused"));
  },
  /** Takes units one by one, as many as there are. */
  async spend() {
    const limiter = createLimiter({ name: "infura", quota: "100/day UTC", store });
    while ((await limiter.consume("infura")).allowed) say("allowed");
  },
  /** `executeWithLock`, and never gives the lock back. */
  async hold() {
    await withLock(
      store,
      "wallet",
      ({ token }) => {
        say("held", token);
        return new Promise(() => setInterval(() => {}, 1_000));
      },
      { leaseMs: 500 },
    );
  },
  async lock() {
    await withLock(store, "wallet", ({ token }) => say("held", token), { leaseMs: 500, maxWaitMs: 20_000 });
  },
};

await tasks[task]!();
await store.close();
