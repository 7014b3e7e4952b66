/** One contender in one scene, as a process that runs a batch of checks whenever it is asked. */
import { answerQuestions } from "../worker.ts";
import { type Check, type ContenderName, contenders } from "./contenders.ts";
import { type Outcome, rates } from "./outcomes.ts";
import { ORDER_LENGTH, type SceneName, scenes } from "./scenes.ts";

const BATCH_NS = 50e6;
const mask = ORDER_LENGTH - 1;

const [name, sceneName, outcome] = process.argv.slice(2) as [ContenderName, SceneName, Outcome];
const contender = contenders[name];
const { keys, order } = scenes[sceneName]();
const [limit, periodMs] = rates[outcome];
const check = contender.create(limit, periodMs);

/** What the last check answered: kept, so that no answer can be optimised away. */
let kept: unknown;
let at = 0;

function repeat(check: Check, from: number, count: number): void {
  let answer: unknown;
  for (let i = from; i < from + count; i++) answer = check(keys[order[i & mask]!]!);
  kept = answer;
}

async function repeatAwaiting(check: Check, from: number, count: number): Promise<void> {
  let answer: unknown;
  for (let i = from; i < from + count; i++) {
    try {
      answer = await check(keys[order[i & mask]!]!);
    } catch (refusal) {
      answer = refusal;
    }
  }
  kept = answer;
}

const run = contender.isAsync ? repeatAwaiting : repeat;

/** CPU time of the whole process per check, garbage collection included, in nanoseconds. */
async function batch(count: number): Promise<number> {
  const before = process.cpuUsage();
  await run(check, at, count);
  at += count;
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / count;
}

/** Every key is known, the code is optimised, and the batch is long enough to be timed. */
async function warmUp(): Promise<number> {
  for (const key of keys) {
    try {
      await check(key);
    } catch {}
  }
  for (let count = 20_000; ; count *= 2) {
    if ((await batch(count)) * count > BATCH_NS) return count;
  }
}

/** Share of the last checks that were let through. */
async function allowedShare(): Promise<number> {
  let allowed = 0;
  for (let i = 0; i < 100; i++) {
    try {
      if (contender.isAllowed(await check(keys[order[(at + i) & mask]!]!), limit)) allowed++;
    } catch {}
  }
  return allowed / 100;
}

const count = await warmUp();
answerQuestions((question) => (question === "batch" ? batch(count) : allowedShare()));

export { kept };
