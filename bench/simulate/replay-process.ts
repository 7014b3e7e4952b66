/** Replays of a log in memory, and reading it, as a process that does one of them whenever it is asked. */
import { readConfig } from "../../packages/gateway/dist/config/read-config.js";
import { readLog } from "../../packages/gateway/dist/simulate/readers/read-log.js";
import { replay } from "../../packages/gateway/dist/simulate/replay.js";
import { answerQuestions } from "../worker.ts";

export type Turn = "bare" | "one quota" | "one quota, half refused" | "three quotas" | "reading lines";

const CALLS = 100_000;
const CLIENTS = 1_000;
const BATCH = 1_000;
const AT = Date.UTC(2026, 0, 1);
const TOOLS = ["search", "fetch", "export", "read_file"];

/** Two calls in a millisecond, of clients in no order: each calls 120 times per minute. */
const calls = Array.from({ length: CALLS }, (_, i) => ({
  time: AT + i * 0.5,
  client: `client ${(i * 7_919) % CLIENTS}`,
  method: "tools/call",
  tool: TOOLS[(i * 31) % TOOLS.length]!,
}));
const batches = Array.from({ length: CALLS / BATCH }, (_, i) => calls.slice(i * BATCH, (i + 1) * BATCH));
const text = Buffer.from(calls.map((call) => `${JSON.stringify(call)}\n`).join(""));

const config = (yaml: string) => readConfig(yaml, "bench", {});
const policies = {
  "one quota": config("perClient: 600/min"),
  "one quota, half refused": config("perClient: 60/min"),
  "three quotas": config("perClient: 600/min\nglobal: 1000000/min\ntools: { search: 300/min, '*': 600/min }"),
};

/** The least that decides: when the next call of a key would be in time, and no answer but yes or no. */
function bare(): number {
  const due = new Map<string, number>();
  let refused = 0;
  for (const batch of batches) {
    for (const { time, client } of batch) {
      const at = Math.max(due.get(client) ?? 0, time) + 100;
      if (at - time > 60_000) refused++;
      else due.set(client, at);
    }
  }
  return refused;
}

async function read(): Promise<number> {
  const open = async function* () {
    for (let at = 0; at < text.length; at += 1 << 18) yield text.subarray(at, at + (1 << 18));
  };
  const { batches: lines, stats } = readLog(["log"], { open });
  for await (const _ of lines);
  return stats.calls;
}

/** Each has to do what it is measured for. */
function expectCount(found: number, least: number, most: number): void {
  if (found < least || found > most) throw new Error(`It found ${found}, and should have from ${least} to ${most}.`);
}

async function once(turn: Turn): Promise<void> {
  if (turn === "bare") return expectCount(bare(), 0, 0);
  if (turn === "reading lines") return expectCount(await read(), CALLS, CALLS);
  const { tally } = await replay(batches, { candidate: policies[turn] });
  const [least, most] = turn === "one quota, half refused" ? [0.3, 0.6] : [0, 0];
  expectCount(tally.all.refused, CALLS * least, CALLS * most);
}

/** Microseconds of CPU per call. */
answerQuestions(async (turn: Turn) => {
  const before = process.cpuUsage();
  await once(turn);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
});
