/** One contender's heap: what it holds for a million live keys, or what it allocates for a check. Arguments: contender, question. */
import { memoryStore } from "sluice";
import { type Check, type ContenderName, contenders } from "../decisions/contenders.ts";
import { rates } from "../decisions/outcomes.ts";
import { keysOf } from "../decisions/scenes.ts";
import { median } from "../statistics.ts";
import { answerQuestions } from "../worker.ts";

const KEYS = 1_000_000;
/** Passes over 10,000 keys: until the code is optimised, and then as many as are measured together. */
const WARM_UPS = 60;
const PASSES = 10;
const FLOOD = 10_000_000;
/** What `memoryStore` has if nobody says otherwise. */
const DEFAULT_MAX_KEYS = memoryStore().stats().maxKeys;

const contender = contenders[process.argv[2] as ContenderName];

/** Keeps the limiter alive until its heap was measured. */
let held: Check;
/** Keeps an answer, so that none can be optimised away. */
let last: unknown;

/** Bytes in use, slabs of numbers outside of the heap included, when all garbage is gone. */
function inUse(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that a live key takes beside its own text. */
async function perKey(): Promise<number> {
  const check = contender.create(...rates.refused);
  const keys = keysOf(KEYS);
  await check("the first");
  const before = inUse();
  for (const key of keys) await check(key);
  held = check;
  const bytes = (inUse() - before) / KEYS;
  return bytes;
}

/**
 * Bytes that a check allocates. The young generation is so large (see `suite.ts`) that nothing is
 * collected meanwhile: whatever was allocated is still there to be counted.
 */
async function perCheck(): Promise<number> {
  const check = contender.create(...rates.allowed);
  const keys = keysOf(10_000);
  const pass = contender.isAsync ? passAwaiting : passAtOnce;
  for (let i = 0; i < WARM_UPS; i++) await pass(check, keys);
  const bytes: number[] = [];
  for (let i = 0; i < 5; i++) {
    globalThis.gc!();
    const before = process.memoryUsage().heapUsed;
    for (let again = 0; again < PASSES; again++) await pass(check, keys);
    bytes.push((process.memoryUsage().heapUsed - before) / (PASSES * keys.length));
  }
  return median(bytes);
}

function passAtOnce(check: Check, keys: readonly string[]): void {
  for (const key of keys) last = check(key);
}

async function passAwaiting(check: Check, keys: readonly string[]): Promise<void> {
  for (const key of keys) last = await check(key);
}

/** Bytes in use after a million, and after ten million different keys, with the default `maxKeys`. */
function flood(): readonly [number, number] {
  const check = contender.create(...rates.refused, DEFAULT_MAX_KEYS);
  held = check;
  let some = 0;
  for (let i = 0; i < FLOOD; i++) {
    if (i === FLOOD / 10) some = inUse();
    check(`192.0.2.${i}`);
  }
  return [some, inUse()];
}

const answers = { perKey, perCheck, flood };
answerQuestions((question: keyof typeof answers) => answers[question]());

export { held, last };
