import { Mode } from "../algorithms/algorithm.ts";
import { systemClock } from "../limiter/clock.ts";
import { isolated } from "../limiter/events.ts";
import { chain, guarded, isPromise } from "../limiter/reply.ts";
import {
  type Account,
  type Awaitable,
  type Demand,
  isSync,
  type Store,
  type SyncStore,
  type Taken,
  type TakeOptions,
} from "../limiter/store.ts";
import { type Degradation, degradedAnswers, type FallbackPolicy, letThrough } from "./degraded-answers.ts";
import { isCallersFault } from "./errors.ts";
import { heldPlaces } from "./held-places.ts";
import { isLocal } from "./local-share.ts";

export type { Degradation, FallbackPolicy } from "./degraded-answers.ts";

export interface FallbackOptions {
  /** Is told of the first decision of each outage. What it throws is reported once and changes nothing. */
  readonly onDegraded?: (event: DegradedEvent) => void;
}

export interface DegradedEvent {
  readonly by: Degradation;
  /** What the store threw. */
  readonly error: unknown;
}

export interface FallbackStats {
  /** Calls of `take`, with or without the store; not what a store such as `leased` decides by itself. */
  readonly decisions: number;
  /** Those without the store, and how they came about. */
  readonly degraded: number;
  readonly closed: number;
  readonly open: number;
  readonly localShare: number;
  /** How long ago the outage began, in milliseconds; 0 when the store has answered since. */
  readonly degradedForMs: number;
  /** Units of local shares that the store was not told of: too many keys, or the outcome is not known. */
  readonly unreported: number;
}

/** What `fallback` makes of a store: one that answers at once still does. */
export type FallbackStore<S extends Store = Store> = (S extends SyncStore ? SyncStore : Store) & {
  stats(): FallbackStats;
};

/**
 * A store that answers even when the store behind it cannot: `"closed"` refuses, `"open"` allows, and `localShare(n)`
 * allows a share of each limit. Such answers are marked `degraded` and counted; over HTTP a refusal is then a 503.
 *
 * What is the caller's own fault (a RangeError, or a TypeError without a cause) is thrown as ever. So is the error of
 * the store for `forget` and for a block: who resets or blocks a key has to know that it was not done; and for a
 * queue, whose owner can still `take` and gets the answer of the fallback.
 *
 * Accounts may differ in their policy: `fallback(store, ({ ledger }) => …)`. A call that falls under several is allowed when
 * all of them allow it. A place that is held stays held, and is given back when the store answers again.
 *
 * @example
 * const store = fallback(timeout(sqliteStore({ path }), 50), localShare(4));
 *
 * @throws TypeError for another policy.
 */
export function fallback<S extends Store>(
  store: S,
  policy: FallbackPolicy | ((account: Account) => FallbackPolicy),
  { onDegraded }: FallbackOptions = {},
): FallbackStore<S> {
  const { clock = systemClock } = store;
  const places = heldPlaces();
  const answers = degradedAnswers(policy, places, clock);
  const announce = onDegraded && isolated("onDegraded", onDegraded);
  const counts = { decisions: 0, degraded: 0, closed: 0, open: 0, localShare: 0 };
  let since: number | undefined;
  let isCatchingUp = false;

  /** The store answered: it hears of what happened without it. */
  function answered(): void {
    since = undefined;
    if (isCatchingUp || !(places.isBehind || answers.isBehind)) return;
    isCatchingUp = true;
    const done = () => {
      isCatchingUp = false;
    };
    guarded(async () => {
      await places.catchUp(store);
      await answers.catchUp(store);
      done();
    }, done);
  }

  function degrade(demands: readonly Demand[], options: TakeOptions, error: unknown): readonly Taken[] {
    if (isCallersFault(error)) throw error;
    const { by, taken } = answers.answer(demands, options, error);
    if (options.mode !== Mode.peek) places.failed(demands, taken, error);
    if (options.mode === Mode.force && demands.some(({ ledger }) => ledger.algorithm.name === "block")) throw error;
    counts.degraded++;
    counts[by]++;
    if (since === undefined) {
      since = clock.elapsed();
      announce?.({ by, error });
    }
    return taken;
  }

  function takeFromStore(demands: readonly Demand[], options: TakeOptions): Awaitable<readonly Taken[]> {
    return settled(
      () => store.take(demands, options),
      (taken) => {
        if (options.mode !== Mode.peek) {
          answers.giveBack(
            demands.filter(
              (demand) =>
                demand.cost < 0 && (demand.receipt ?? 0) > 0 && demand.ledger.algorithm.name === "concurrency",
            ),
          );
          places.answered(demands, taken);
        }
        answered();
        return taken;
      },
      (error) => degrade(demands, options, error),
    );
  }

  /** What the store did not take does not go back to it. */
  function take(demands: readonly Demand[], options: TakeOptions = {}): Awaitable<readonly Taken[]> {
    counts.decisions++;
    if (!demands.some(isLocal)) return takeFromStore(demands, options);
    const others = demands.filter((demand) => !isLocal(demand));
    return chain(others.length === 0 ? [] : takeFromStore(others, options), (taken) => {
      const isMet = taken.every(({ allowed }) => allowed);
      if (isMet && options.mode !== Mode.peek) answers.giveBack(demands.filter(isLocal));
      const rest = [...taken];
      return demands.map((demand) => (isLocal(demand) ? letThrough(demand) : rest.shift()!));
    });
  }

  function forget(accounts: readonly Account[]): Awaitable<void> {
    answers.forget(accounts);
    return chain(store.forget(accounts), answered);
  }

  const own: Store & { stats(): FallbackStats } = {
    ...(store.clock && { clock }),
    take,
    forget,
    ...(store.shortcut && { shortcut: (quota, block) => store.shortcut!(quota, block) }),
    ...(store.queue && { queue: (terms, seat) => store.queue!(terms, seat) }),
    ...(store.document && { document: (name) => store.document!(name) }),
    ...(store.close && { close: () => store.close!() }),
    stats: (): FallbackStats => ({
      ...counts,
      degradedForMs: since === undefined ? 0 : (clock.elapsed() - since) / 1000,
      unreported: answers.unreported,
    }),
  };
  return (isSync(store) ? { ...own, sync: true, line: lineOf(own as unknown as SyncStore) } : own) as FallbackStore<S>;
}

/** A line says nothing of what was degraded. It is never empty, so that limiters ask `take`. */
function lineOf(store: SyncStore): SyncStore["line"] {
  return (ledger) => ({
    take: (key, cost) => store.take([{ ledger, key, cost }])[0]!,
    isEmpty: () => false,
  });
}

/** Goes on with what came of an action, now or later. */
function settled<T>(action: () => Awaitable<T>, next: (value: T) => T, fail: (error: unknown) => T): Awaitable<T> {
  let value: Awaitable<T>;
  try {
    value = action();
  } catch (error) {
    return fail(error);
  }
  return isPromise(value) ? value.then(next, fail) : next(value);
}
