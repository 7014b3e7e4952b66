import { fixedWindow } from "../algorithms/fixed-window.ts";
import { slidingWindow } from "../algorithms/sliding-window.ts";
import { type Awaitable, type Demand, ledger, type Store, type Taken } from "../limiter/store.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { modelStore } from "./model-store.ts";
import { nextTake, type Receipts } from "./store-calls.ts";

/** Something that is true of every store. */
export interface StoreCase {
  readonly name: string;
  /** @param random numbers from 0 to below 1. @throws Error that says what was found, if the store is wrong. */
  check(random: () => number): Promise<void>;
}

export interface StoreSuiteOptions {
  /**
   * The store may give a refusal again without looking, as `rememberRefusals` does: then demands of a refused
   * call that are not refused themselves may be reported as they stood, with less `remaining` and a later reset.
   *
   * @default false
   */
  readonly isRemembering?: boolean;
}

/**
 * What every store must do, for a test runner to drive: first of all, answer any calls as `decide` does.
 *
 * @param open opens an empty store whose time is that of the clock
 */
export function storeSuite(
  open: (clock: ManualClock) => Awaitable<Store>,
  { isRemembering = false }: StoreSuiteOptions = {},
): readonly StoreCase[] {
  const over = (check: (store: Store, clock: ManualClock, random: () => number) => Promise<void>) => {
    return async (random: () => number) => {
      const clock = manualClock();
      const store = await open(clock);
      try {
        await check(store, clock, random);
      } finally {
        await store.close?.();
      }
    };
  };
  return [
    { name: "answers as decide does", check: over(isRemembering ? refusesAsDecide : answersAsDecide) },
    { name: "takes from all or from none", check: over(allOrNone) },
    { name: "allows exactly the limit to calls at once", check: over(exactlyTheLimit) },
    { name: "makes accounts as good as new", check: over(forgets) },
    { name: "keeps all keys and ledgers apart", check: over(keepsApart) },
  ];
}

const CALLS = 60;

type Compare = (taken: readonly Taken[], expected: readonly Taken[], what: () => string) => void;

const answersAsDecide = (store: Store, clock: ManualClock, random: () => number): Promise<void> =>
  comparedWithDecide(store, clock, random, same);

const refusesAsDecide = (store: Store, clock: ManualClock, random: () => number): Promise<void> =>
  comparedWithDecide(store, clock, random, (taken, expected, what) => {
    if (expected.every(({ allowed }) => allowed)) same(taken, expected, what);
    else
      same(
        taken.map((one, i) => asItStood(one, expected[i]!)),
        expected,
        what,
      );
  });

/** The receipt of a refused call is nobody's; what it did not refuse may have been better meanwhile. */
function asItStood(taken: Taken, { allowed, remaining, resetAfter, receipt }: Taken): Taken {
  const isOlder = allowed && taken.remaining <= remaining && taken.resetAfter >= resetAfter;
  return { ...taken, receipt, ...(isOlder && { remaining, resetAfter }) };
}

async function comparedWithDecide(
  store: Store,
  clock: ManualClock,
  random: () => number,
  compare: Compare,
): Promise<void> {
  const model = modelStore(clock);
  const receipts: Receipts = new Map();
  for (let i = 0; i < CALLS; i++) {
    if (random() < 0.6) clock.advanceSync(Math.floor(1500 ** random()) - (random() < 0.5 ? 0.999 : 0));
    const { demands, options } = nextTake(random, receipts);
    const taken = await store.take(demands, options);
    const expected = model.take(demands, options);
    compare(taken, expected, () => `call ${i} ${JSON.stringify({ demands, options })}`);
    for (const [n, { receipt }] of expected.entries()) receipts.set(demands[n]!.ledger.space, receipt);
  }
}

async function allOrNone(store: Store): Promise<void> {
  const narrow = demandOn("narrow", 2);
  const wide = demandOn("wide", 5);
  await store.take([narrow("k", 1), wide("k", 1)]);
  const [refused, whole] = await store.take([narrow("k", 2), wide("k", 2)]);
  insist(!refused!.allowed && refused!.remaining === 1, () => `two of one were answered ${shown(refused!)}`);
  insist(whole!.allowed && whole!.remaining === 4, () => `the other demand was answered ${shown(whole!)}`);
  const [left] = await store.take([wide("k", 4)]);
  insist(left!.allowed, () => "a refused call cost something");
}

async function exactlyTheLimit(store: Store): Promise<void> {
  const demand = demandOn("shared", 10);
  const answers = await Promise.all(Array.from({ length: 100 }, async () => store.take([demand("k", 1)])));
  const allowed = answers.filter(([one]) => one!.allowed).length;
  insist(allowed === 10, () => `of 100 calls at once ${allowed} were allowed at a limit of 10`);
}

async function forgets(store: Store): Promise<void> {
  const demand = demandOn("forgotten", 2);
  await store.take([demand("a", 2)]);
  await store.take([demand("b", 2)]);
  await store.forget([demand("a", 0), demand("never seen", 0)]);
  const [a] = await store.take([demand("a", 2)]);
  const [b] = await store.take([demand("b", 1)]);
  insist(a!.allowed, () => "a forgotten key was not as good as new");
  insist(!b!.allowed, () => "another key was forgotten too");
}

/** Keys that have a meaning to objects, to paths, to SQL and to Redis. */
const STRANGE = [
  "__proto__",
  "constructor",
  "toString",
  "a/b",
  "a",
  "/",
  "{a}",
  "{",
  "a:b",
  "'; --",
  "\0",
  "a\nb",
  "%s",
  "\u00e9",
  "e\u0301",
  "😀",
  " ",
  "x".repeat(10_000),
];

async function keepsApart(store: Store): Promise<void> {
  const first = demandOn("one", 1);
  const second = demandOn("one/two", 1);
  const other = { ...first("a", 1), ledger: ledger("one", fixedWindow({ limit: 1, periodMs: 60_000 })) };
  for (const key of STRANGE) {
    for (const demand of [first(key, 1), second(key, 1), { ...other, key }]) {
      const [one] = await store.take([demand]);
      const [two] = await store.take([demand]);
      insist(one!.allowed, () => `the key ${JSON.stringify(key.slice(0, 20))} shares its state with another`);
      insist(!two!.allowed, () => `the key ${JSON.stringify(key.slice(0, 20))} has no state`);
    }
  }
}

function demandOn(name: string, limit: number): (key: string, cost: number) => Demand {
  const account = ledger(name, slidingWindow({ limit, periodMs: 60_000 }));
  return (key, cost) => ({ ledger: account, key, cost });
}

function same(taken: readonly Taken[], expected: readonly Taken[], what: () => string): void {
  const found = taken.map(shown).join(", ");
  const wanted = expected.map(shown).join(", ");
  insist(found === wanted, () => `${what()} was answered\n${found}\nbut decide says\n${wanted}`);
}

const shown = ({ allowed, remaining, retryAfter, resetAfter, receipt, granted }: Taken): string =>
  `{ allowed: ${allowed}, remaining: ${remaining}, retryAfter: ${retryAfter}, resetAfter: ${resetAfter}, receipt: ${receipt}, granted: ${granted} }`;

function insist(isTrue: boolean, found: () => string): void {
  if (!isTrue) throw new Error(found());
}
