// One of the processes that call one upstream. Started as: node worker.ts <store> <options as JSON>. Says of each call when it
// started and ended, in nanoseconds of the clock of the machine, and "done" when all have.
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { memoryStore } from "../../../src/index.ts";
import { createUpstreams } from "../../../src/outbound/index.ts";
import { openNamed } from "../../processes/stores.ts";
import type { Orders } from "./crew.ts";

const [, , name = "", json = "{}"] = process.argv;
const { calls, upstream, url, lastMs = 0, gapMs = 0, isCareless = false } = JSON.parse(json) as Orders;
const store = name === "memory" ? memoryStore() : await openNamed(name);
/** Each process keeps the limit by itself, as if there were no others. */
const counted = isCareless ? memoryStore() : store;
const { api } = createUpstreams(
  { api: { maxWaitMs: Infinity, maxQueue: Infinity, retry: false, breaker: false, ...upstream } },
  { store: counted },
);
const now = () => process.hrtime.bigint();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function request(): Promise<void> {
  const started = now();
  // A process that is killed has said that it started.
  writeSync(1, `start ${started}\n`);
  if (url !== undefined) await (await fetch(url)).text();
  else await pause(Math.random() * lastMs);
  writeSync(1, `end ${started} ${now()}\n`);
}

writeSync(1, "ready\n");
// A process that is killed leaves nothing to those that come after it, unless it does so now.
flushCompileCache();
await new Promise((resolve) => process.stdin.once("data", resolve));
const all: Promise<void>[] = [];
for (let i = 0; i < calls; i++) {
  all.push(api.run(request));
  if (gapMs > 0) await pause(Math.random() * gapMs);
}
await Promise.all(all);
writeSync(1, "done\n");
process.stdin.once("end", () => process.exit());
