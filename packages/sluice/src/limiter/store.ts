import {
  type Algorithm,
  fingerprint,
  Mode,
  type State,
  type Step,
  step,
  type Verdict,
} from "../algorithms/algorithm.ts";
import { shown } from "../algorithms/numbers.ts";
import type { Clock } from "./clock.ts";
import type { SharedDocument } from "./shared-document.ts";
import type { QueueSeat, QueueTerms, SharedQueue } from "./shared-queue.ts";

export type Awaitable<T> = T | PromiseLike<T>;

/** The states of one quota: a space of keys, and the algorithm that all of them follow. */
export interface Ledger {
  /** Tells this ledger's keys from those of other ledgers in one store; includes the algorithm's fingerprint. */
  readonly space: string;
  readonly algorithm: Algorithm;
}

/** What becomes of usage when the numbers of an algorithm change: it begins anew, or goes on. */
export type WhenChanged = "fresh" | "carry";

/**
 * The ledger of a named thing: another algorithm is another ledger, and so is the same with other numbers
 * unless usage is carried over.
 *
 * @throws RangeError for an algorithm that cannot carry, and for anything but the two words.
 */
export function ledger(name: string, algorithm: Algorithm, whenChanged: WhenChanged = "fresh"): Ledger {
  if (whenChanged !== "fresh" && whenChanged !== "carry") {
    throw new RangeError(`whenChanged is "fresh" or "carry", but it is ${shown(whenChanged)}.`);
  }
  const kept = whenChanged === "carry" ? carrying(algorithm) : algorithm;
  return { space: `${name}/${fingerprint(kept)}`, algorithm: kept };
}

function carrying(algorithm: Algorithm): Algorithm {
  if (algorithm.carries) return algorithm;
  if (algorithm.carrying !== undefined) return algorithm.carrying();
  throw new RangeError(
    `The algorithm ${shown(algorithm.name)} cannot carry usage over to other numbers: it has no carrying(). Use whenChanged: "fresh".`,
  );
}

/** A key in a ledger. */
export interface Account {
  readonly ledger: Ledger;
  readonly key: string;
  /** In a Cluster, accounts of one tag are in one slot, and decided together. Always the same for one account. @default the key */
  readonly tag?: string;
}

/** An account that is asked for `cost` units. */
export interface Demand extends Account {
  /** Whole units. Negative: handed back. */
  readonly cost: number;
  /** With a negative cost: which charge is undone. With a place: its name. */
  readonly receipt?: number;
  /**
   * Fewer units than `cost` will do, down to so many: as many as there are are taken. If there are not
   * even so many, the answer says when there will be.
   *
   * @default cost
   */
  readonly least?: number;
}

/** What a store says to one demand. */
export interface Taken extends Verdict {
  /** Decided without the store that should have decided. */
  readonly degraded?: boolean;
  /** Units that were taken, when the demand named a `least`. */
  readonly granted?: number;
}

export interface TakeOptions {
  /** @default Mode.take */
  readonly mode?: Mode;
  /**
   * Answer as if those ahead in line had been served first, as early as they can be: each takes so
   * many units of every demanded account. Only with `Mode.peek`.
   */
  readonly ahead?: readonly number[];
}

/**
 * Keeps the states behind the keys, and the time.
 *
 * A store is right if `take` behaves as {@link decide} does, atomically. Everything else, including
 * every algorithm, is none of its business.
 */
export interface Store {
  /** Meet every demand, or none. One answer for each demand, in order. */
  take(demands: readonly Demand[], options?: TakeOptions): Awaitable<readonly Taken[]>;
  /** Make accounts as good as new. */
  forget(accounts: readonly Account[]): Awaitable<void>;
  /** Let go of timers, files and connections that the store opened itself. */
  close?(): Awaitable<void>;
  /** Times the waiting of callers. @default the clock of this process */
  readonly clock?: Clock;
  /** The shortest way to decisions about one account of `quota` whose key is not blocked in `block`. */
  shortcut?(quota: Ledger, block: Ledger): Shortcut;
  /** The same for a store that has to ask somebody: one promise, and no lists. Undefined where there is no such way. */
  express?(quota: Ledger, block: Ledger): Express | undefined;
  /** Stand in a queue that all processes over this store share. Whoever gives other terms stands in another queue. */
  queue?(terms: QueueTerms, seat: QueueSeat): SharedQueue;
  /** A text that all users of the store share, by its name. */
  document?(name: string): SharedDocument;
}

/** Asks about one account of a quota whose key may be blocked. */
export interface Express {
  /** @param decided makes the answer of what was said about the quota, and about the block if the key is blocked */
  take<T>(key: string, cost: number, decided: (quota: Verdict, block?: Verdict) => T): Promise<T>;
}

/** Decides at once where nobody has to be asked. */
export interface Shortcut {
  /** Undefined: nothing was decided, ask the store. The answer is one record, written anew by the next call. */
  take(key: string, cost: number): Verdict | undefined;
}

/** A store that answers at once. */
export interface SyncStore extends Store {
  readonly sync: true;
  take(demands: readonly Demand[], options?: TakeOptions): readonly Taken[];
  forget(accounts: readonly Account[]): void;
  /** The shortest way to one ledger: for decisions about a single account. */
  line(ledger: Ledger): Line;
}

/** Charges accounts of one ledger, one at a time. */
export interface Line {
  /**
   * The answer is one record, written anew by the next call.
   *
   * @param elapsed what the store's clock says of its elapsed time, where it has just been read. @default it is read
   */
  take(key: string, cost: number, elapsed?: number): Verdict;
  /** Whether no key of the ledger has a state. */
  isEmpty(): boolean;
}

export const isSync = (store: Store): store is SyncStore => (store as Partial<SyncStore>).sync === true;

/** The two times of one decision, in microseconds. */
export interface Times {
  readonly elapsed: number;
  readonly wall: number;
}

/**
 * The one definition of all-or-nothing: if any demand is refused, none is met, and those that could
 * have been met report their account as it stands. Demands on one account count as one demand.
 */
export function decide(
  demands: readonly Demand[],
  states: readonly (State | undefined)[],
  times: Times,
  { mode = Mode.take, ahead = [] }: TakeOptions = {},
): readonly (Step & Taken)[] {
  const merged = mergeDemands(demands);
  if (ahead.length > 0) return decideInLine(merged, states, times, ahead);
  const whole = merged.map((demand, i) => stepOf(demand, states[i], times, demand.cost, mode));
  const granted = merged.map((demand, i) => grantedOf(demand, whole[i]!));
  const steps = whole.map((one, i) =>
    granted[i] === merged[i]!.cost ? one : stepOf(merged[i]!, states[i], times, granted[i]!, mode),
  );
  const isMet = steps.every(({ allowed }) => allowed);
  return steps.map((one, i) => {
    const demand = merged[i]!;
    const stands = isMet || !one.allowed ? one : stepOf(demand, states[i], times, 0, Mode.peek);
    return demand.least === undefined ? stands : { ...stands, granted: isMet ? granted[i]! : 0 };
  });
}

/**
 * How much of a demand can be met, when the whole was answered so: all of it, or what is left if that
 * will do. If it will not, the least: the answer then says when so much could pass.
 */
export function grantedOf({ cost, least = cost }: Demand, { allowed, remaining }: Verdict): number {
  return allowed ? cost : Math.min(cost, Math.max(remaining, least));
}

function stepOf(
  { ledger: { algorithm }, receipt }: Demand,
  state: State | undefined,
  times: Times,
  cost: number,
  mode: Mode,
): Step {
  return step(algorithm, state, times[algorithm.clock], cost, mode, receipt);
}

/** Serve those ahead, each at the earliest time, then say when the last one's turn comes. */
function decideInLine(
  demands: readonly Demand[],
  given: readonly (State | undefined)[],
  times: Times,
  ahead: readonly number[],
): readonly Step[] {
  let states = given;
  let waited = 0;
  let steps: readonly Step[] = [];
  const costs = [...ahead.map((cost) => demands.map(() => cost)), demands.map(({ cost }) => cost)];
  for (const turn of costs) {
    for (;;) {
      const at = { elapsed: times.elapsed + waited, wall: times.wall + waited };
      steps = demands.map((demand, i) => stepOf(demand, states[i], at, turn[i]!, Mode.take));
      const wait = Math.max(...steps.map(({ retryAfter }) => retryAfter));
      if (wait === 0) break;
      if (wait === Infinity) return steps.map((one) => ({ ...one, allowed: false, retryAfter: wait }));
      waited += wait;
    }
    states = steps.map(({ state }) => state);
  }
  return steps.map((one) => ({
    ...one,
    allowed: waited === 0,
    retryAfter: waited,
    resetAfter: one.resetAfter + waited,
  }));
}

/** The same list, in which all demands on one account are one and the same demand, for the sum of their costs. */
export function mergeDemands(demands: readonly Demand[]): readonly Demand[] {
  if (demands.length === 1) return demands;
  const isSame = (a: Demand, b: Demand) => a.key === b.key && a.ledger.space === b.ledger.space;
  const merged: Demand[] = [];
  for (const demand of demands) {
    const earlier = merged.find((other) => isSame(other, demand));
    const same = demands.filter((other) => isSame(other, demand));
    merged.push(earlier ?? (same.length === 1 ? demand : sumOf(same)));
  }
  return merged;
}

function sumOf(demands: readonly Demand[]): Demand {
  const cost = demands.reduce((sum, demand) => sum + demand.cost, 0);
  if (demands.every(({ least }) => least === undefined)) return { ...demands[0]!, cost };
  return { ...demands[0]!, cost, least: demands.reduce((sum, demand) => sum + (demand.least ?? demand.cost), 0) };
}
