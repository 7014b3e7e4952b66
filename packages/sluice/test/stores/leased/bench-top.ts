import type * as sluice from "sluice";
import type { Demand, LeasedOptions, LeasedStats, LeasedStore, Limiter, QuotaLike, Store, Taken } from "sluice";
import { type ManualClock, manualClock } from "sluice/testing";

export type Library = typeof sluice;

/** A leased store by hand: every call of the store below is written down, and may be held, changed or made to fail. */
export interface BenchTop {
  readonly clock: ManualClock;
  readonly store: LeasedStore;
  readonly limiter: Limiter<"async">;
  /** The demands of every call of the store below. */
  readonly calls: (readonly Demand[])[];
  /** What it is asked while this stands is answered when `letGo` is called. */
  hold(): void;
  letGo(): Promise<void>;
  /** Instead of an answer. */
  fail: Error | undefined;
  change: ((taken: readonly Taken[]) => readonly Taken[]) | undefined;
  /** One more process over the same store, with the same clock. */
  another(): BenchTop;
  /** The store below forgets everything. */
  flush(): void;
}

export interface BenchTopOptions extends LeasedOptions {
  readonly quota?: QuotaLike | readonly QuotaLike[];
}

/** The lease is 66.668 ms, and units are used for 66.601 ms. */
export const QUOTA = "1000/14667ms";

export function benchTop(
  library: Library,
  { quota = QUOTA, ...options }: BenchTopOptions = {},
  clock = manualClock(),
  below = { memory: library.memoryStore({ clock }) },
): BenchTop {
  const calls: (readonly Demand[])[] = [];
  let held: (() => void)[] | undefined;
  const inner: Store = {
    clock,
    async take(demands, takeOptions) {
      calls.push(demands);
      if (top.fail !== undefined) throw top.fail;
      const taken = below.memory.take(demands, takeOptions);
      if (held !== undefined) await new Promise<void>((resolve) => held!.push(resolve));
      return top.change?.(taken) ?? taken;
    },
    forget: async (accounts) => below.memory.forget(accounts),
  };
  const store = library.leased(inner, options);
  const top: BenchTop = {
    clock,
    store,
    limiter: library.createLimiter({ quota, store }),
    calls,
    hold() {
      held = [];
    },
    async letGo() {
      for (const resolve of held!.splice(0)) resolve();
      held = undefined;
      await settled();
    },
    fail: undefined,
    change: undefined,
    another: () => benchTop(library, { quota, ...options }, clock, below),
    flush() {
      below.memory = library.memoryStore({ clock });
    },
  };
  return top;
}

export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Calls until there are units in hand: at least `least`. */
export async function warm({ limiter, store, clock }: BenchTop, least = 8): Promise<void> {
  for (let i = 0; i < 100; i++) {
    await limiter.consume("k");
    if (store.stats().held >= least) return;
    clock.advanceSync(0.2);
  }
  throw new Error(`no units in hand after 100 calls: ${JSON.stringify(store.stats())}`);
}

/** Calls until one is refused. Returns how many units passed. */
export async function drain({ limiter }: BenchTop, key = "k"): Promise<number> {
  for (let passed = 0; passed < 5_000; passed++) if (!(await limiter.consume(key)).allowed) return passed;
  throw new Error("5000 calls passed in a row");
}

export function insist(isTrue: boolean, found: () => string): void {
  if (!isTrue) throw new Error(found());
}

export function same(found: unknown, wanted: unknown, what: string): void {
  insist(Object.is(found, wanted), () => `${what}: ${String(found)} instead of ${String(wanted)}`);
}

/** Nothing is lost and nothing appears from nowhere. */
export function conserved({ granted, used, returned, expired, held }: LeasedStats): void {
  insist(
    granted === used + returned + expired + held,
    () => `${granted} granted, but ${JSON.stringify({ used, returned, expired, held })}`,
  );
}

/** Units that the store was handed back, over all calls. */
export const handedBack = ({ calls }: BenchTop): number =>
  calls.flat().reduce((sum, { cost }) => sum - Math.min(0, cost), 0);
