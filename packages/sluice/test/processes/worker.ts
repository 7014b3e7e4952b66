// One of many processes that hammer the same keys. Started as: node worker.ts <task> <store> <log> <seed> <size> <stretch>
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { createConcurrencyLimiter, createLimiter } from "../../src/index.ts";
import { seeded } from "../algorithms/seeded.ts";
import { callLog } from "./log.ts";
import { openNamed } from "./stores.ts";
import { LINES, PLACES, subjects } from "./workload.ts";

const [, , task = "", name = "", path = "", seed = "0", size = "1", stretch = "1"] = process.argv;
const random = seeded(Number(seed));
const below = (end: number) => Math.floor(random() * end);
const pause = (ms: number) =>
  new Promise<void>((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));

const store = await openNamed(name);
const log = callLog(path);

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** Asks for units without end: most often of the hot key of each limit. */
  async rates() {
    const limiters = Object.entries(subjects({ size: Number(size), stretch: Number(stretch) })).map(
      ([subject, { quota }]) => ({
        subject,
        limiter: createLimiter({ name: subject, quota, store }),
      }),
    );
    for (;;) {
      const { subject, limiter } = limiters[below(limiters.length)]!;
      const key = random() < 0.9 ? "hot" : `cold-${below(2)}`;
      const cost = 1 + below(3);
      const call = log.invoke(`${subject}/${key}`, cost);
      try {
        const { allowed } = await limiter.consume(key, cost);
        log.completed(call, allowed);
        await pause(allowed ? 0 : below(4));
      } catch (error) {
        log.failed(call, error);
      }
    }
  },
  /** One call for two keys; says when it was allowed. */
  async pair() {
    const { allowed } = await createLimiter({ quota: "1000/h", store }).consume(["shared", "twin"]);
    if (allowed) writeSync(1, "+");
    process.exit();
  },
  /** Calls of one key, one at a time; says of each when it was allowed. */
  async spend() {
    const limiter = createLimiter({ quota: "600000/10min", store });
    for (let call = 0; call < 300; call++) {
      const { allowed } = await limiter.consume("shared");
      if (allowed) writeSync(1, "+");
      if (call % 50 === 49) await pause(10);
    }
    await store.close?.();
    process.exit();
  },
  /** Takes places without end, renews some, gives most of them back. */
  async places() {
    const limiter = createConcurrencyLimiter({ ...PLACES, store });
    for (;;) {
      const call = log.invoke("hot", 1);
      const lease = await limiter.acquire("hot");
      log.completed(call, lease.decision.allowed);
      if (!lease.decision.allowed) {
        await pause(1 + below(4));
        continue;
      }
      await pause(below(20));
      if (random() < 0.3) {
        log.renewing(call);
        log.renewed(call, await lease.renew());
        await pause(below(20));
      }
      log.releasing(call);
      await lease.release();
    }
  },
};

writeSync(1, "ready\n");
// A process that is killed leaves nothing to those that come after it, unless it does so now.
flushCompileCache();
const lines = task === "rates" || task === "places" ? LINES : 1;
await Promise.all(Array.from({ length: lines }, () => tasks[task]!()));
