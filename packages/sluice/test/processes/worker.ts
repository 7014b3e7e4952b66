// One of many processes that hammer the same keys. Started as: node worker.ts <task> <store> <log> <seed> <size>
import { writeSync } from "node:fs";
import { createConcurrencyLimiter, createLimiter } from "../../src/index.ts";
import { seeded } from "../algorithms/seeded.ts";
import { callLog } from "./log.ts";
import { openNamed } from "./stores.ts";
import { LINES, PLACES, subjects } from "./workload.ts";

const [, , task = "", name = "", path = "", seed = "0", size = "1"] = process.argv;
const random = seeded(Number(seed));
const below = (end: number) => Math.floor(random() * end);
const pause = (ms: number) =>
  new Promise<void>((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));

const store = await openNamed(name);
const log = callLog(path);

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** Asks for units without end: most often of the hot key of each limit. */
  async rates() {
    const limiters = Object.entries(subjects(Number(size))).map(([subject, { quota }]) => ({
      subject,
      limiter: createLimiter({ name: subject, quota, store }),
    }));
    for (;;) {
      const { subject, limiter } = limiters[below(limiters.length)]!;
      const key = random() < 0.9 ? "hot" : `cold-${below(2)}`;
      const cost = (1 + below(3)) * Number(size);
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
await Promise.all(Array.from({ length: LINES }, () => tasks[task]!()));
