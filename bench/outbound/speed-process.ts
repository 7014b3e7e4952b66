/** One contender, as a process that makes calls, has them wait, or cancels them. Argument: the contender. */
import { answerQuestions } from "../worker.ts";
import { type Caller, type ContenderName, contenders, type Rate } from "./contenders.ts";

/** What it is asked to do. */
export interface Question {
  readonly kind: keyof typeof answers;
  readonly calls: number;
}

/** Never reached by what is measured. */
const OPEN: Rate = { limit: 10_000_000, periodMs: 1000 };
/** So slow that nearly all wait, and fast enough that no timer of a peer is longer than 2^31 milliseconds. */
const CLOSED: Rate = { limit: 1, periodMs: 10_000 };

const create = contenders[process.argv[2] as ContenderName];
const open = await create(OPEN);

let made = 0;
const call = async () => {
  made++;
};

/** Milliseconds from the first call to the last answer, all of them at once. */
async function atOnce(calls: number): Promise<number> {
  globalThis.gc!();
  const before = made;
  const all = new Array<Promise<void>>(calls);
  const begin = performance.now();
  for (let i = 0; i < calls; i++) all[i] = open.run(call);
  await Promise.all(all);
  const ms = performance.now() - begin;
  if (made - before !== calls) throw new Error(`${made - before} of ${calls} calls were made.`);
  return ms;
}

/** The same, each after the answer of the one before it. */
async function inTurn(calls: number): Promise<number> {
  globalThis.gc!();
  const begin = performance.now();
  for (let i = 0; i < calls; i++) await open.run(call);
  return performance.now() - begin;
}

/** Keeps what waits alive until it was measured. */
let held: Caller;

/** Bytes that a waiting call takes, its promise included. */
async function bytes(calls: number): Promise<number> {
  held = await create(CLOSED);
  await held.run(call);
  const before = inUse();
  for (let i = 0; i < calls; i++) void held.run(call);
  return (inUse() - before) / calls;
}

function inUse(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Milliseconds until waiting calls are gone that are cancelled one by one, in an order without a pattern. */
async function cancels(calls: number): Promise<number> {
  const caller = await create(CLOSED);
  await caller.run(call);
  const reason = new Error("not wanted any more");
  let gone = 0;
  const controllers = Array.from({ length: calls }, () => new AbortController());
  const all = controllers.map(({ signal }) =>
    caller.run(call, signal).catch((error) => {
      if (error === reason || error.cause === reason) gone++;
    }),
  );
  const begin = performance.now();
  for (let i = 0; i < calls; i++) controllers[(i * 7919) % calls]!.abort(reason);
  await Promise.all(all);
  const ms = performance.now() - begin;
  // The limit opens now and then: a few may have been made.
  if (gone < calls - 20) throw new Error(`${gone} of ${calls} calls were cancelled.`);
  return ms;
}

const answers = { atOnce, inTurn, bytes, cancels };
answerQuestions(({ kind, calls }: Question) => answers[kind](calls));

export { held };
