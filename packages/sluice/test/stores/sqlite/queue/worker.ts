// A process of its own in a shared queue. Started as: node worker.ts <path> <owner> <calls>. Says of each start when it
// was, in microseconds, and "done" when all have ended; then stays in the queue until its input ends.
import { writeSync } from "node:fs";
import { sqliteStore } from "../../../../src/stores/sqlite/sqlite.ts";
import { Client } from "../../../limiter/queue/client.ts";
import { HEARTBEAT_MS, terms } from "./terms.ts";

const [, , path = "", owner = "", calls = "0"] = process.argv;
const say = (text: string) => writeSync(1, `${text}\n`);
const micros = () => Math.floor(performance.now() * 1000);

const store = sqliteStore({ path, busyTimeoutMs: 20_000 });
let left = Number(calls);
const queue = store.queue(terms, { owner, inform: (news) => client.hear(news) });
const client = new Client({
  now: micros,
  after: (microseconds, action) => setTimeout(action, Math.ceil(microseconds / 1000)),
  random: Math.random,
  heartbeat: HEARTBEAT_MS * 1000,
  patience: 1_000_000,
  send: (request, answered) => {
    queue.exchange(request).then(answered, () => {});
  },
  started: () => say(String(Math.floor((performance.timeOrigin + performance.now()) * 1000))),
  finished: () => {
    if (--left === 0) say("done");
  },
});
for (let i = left; i > 0; i--) client.run({ lane: "~a~x", cost: 1, offset: 0, lasts: 1_000 });
say("here");
process.stdin.on("end", () => process.exit()).resume();
