import { Mode } from "../algorithms/algorithm.ts";
import { shown, wholeNumber } from "../algorithms/numbers.ts";
import { type Clock, systemClock } from "../limiter/clock.ts";
import { isPromise } from "../limiter/reply.ts";
import type { QueueSeat, QueueTerms } from "../limiter/shared-queue.ts";
import {
  type Account,
  type Awaitable,
  type Demand,
  isSync,
  mergeDemands,
  type Store,
  type SyncStore,
  type Taken,
  type TakeOptions,
} from "../limiter/store.ts";
import { type AccountRecord, accountRecords } from "./account-records.ts";

export interface RememberRefusalsOptions {
  /** Refusals to remember at most; the oldest leaves first. @default 10_000 */
  readonly maxKeys?: number;
  /**
   * How long a refusal is believed at most, in milliseconds: other processes may hand units back, reset the key
   * or lift a block, and this one does not hear of it.
   *
   * @default 1_000
   */
  readonly maxMs?: number;
}

/** What `rememberRefusals` makes of a store: one that answers at once still does. */
export type Remembering<S extends Store> = S extends SyncStore ? SyncStore : Store;

/** A refusal that can be given again. */
interface Memory {
  readonly taken: readonly Taken[];
  /** When the answer came. In microseconds, like all that follows. */
  readonly at: number;
  /** Until then it holds. */
  readonly end: number;
  /** The accounts, as they were when it came: in the order of the demands. */
  readonly accounts: readonly { readonly record: AccountRecord; readonly changes: number; readonly blows: number }[];
}

/**
 * A store that does not ask twice: a call that was just refused is refused again without the store behind it,
 * until it can pass. A client that hammers at its limit costs the store nothing.
 *
 * A refusal is remembered for the very same demands when the next unit to come back is the one that they lack: so
 * `remaining`, and the moment of `retryAfter`, are exact as long as nobody else changes the account. It is
 * forgotten when this process charges, refunds, resets or blocks one of its accounts. Other demands of the same
 * decision are reported as they stood. Places of concurrency limits and partial grants are always asked for. A queue
 * is passed on as it is.
 *
 * @example
 * const store = fallback(rememberRefusals(timeout(sqliteStore({ path }))), "closed");
 *
 * @throws RangeError for options that cannot be.
 */
export function rememberRefusals<S extends Store>(
  store: S,
  { maxKeys = 10_000, maxMs = 1_000 }: RememberRefusalsOptions = {},
): Remembering<S> {
  wholeNumber("maxKeys", maxKeys, 1);
  if (!(typeof maxMs === "number" && maxMs > 0)) {
    throw new RangeError(`maxMs must be a number of milliseconds above 0, such as 1000, but it is ${shown(maxMs)}.`);
  }
  const { clock = systemClock } = store;
  const memories = new Map<string, Memory>();
  const records = accountRecords();

  function drop(name: string, memory: Memory): void {
    memories.delete(name);
    for (const { record } of memory.accounts) records.leave(record);
  }

  /** The answer from memory, as it is now. */
  function recall(name: string, demands: readonly Demand[]): readonly Taken[] | undefined {
    const memory = memories.get(name);
    if (memory === undefined) return undefined;
    const now = clock.elapsed();
    const holds = memory.accounts.every(({ record, changes, blows }, i) => {
      if (record.blows !== blows) return false;
      if (record.changes === changes) return true;
      // Somebody charged an account that had enough for this call: it is refused by the others, if it still has.
      return memory.taken[i]!.allowed && (record.latest?.remaining ?? 0) >= demands[i]!.cost;
    });
    if (!holds || now >= memory.end || now < memory.at) {
      drop(name, memory);
      return undefined;
    }
    return memory.taken.map((one, i) => {
      const { record, changes } = memory.accounts[i]!;
      const isOld = one.allowed && record.changes !== changes;
      return isOld ? aged({ ...one, ...record.latest! }, now - record.at) : aged(one, now - memory.at);
    });
  }

  function remember(name: string, demands: readonly Demand[], taken: readonly Taken[], begun: Begun): void {
    const wait = Math.max(...taken.map(({ retryAfter }) => retryAfter));
    const merged = mergeDemands(demands);
    const isExact = taken.every(({ allowed, remaining }, i) => allowed || remaining === merged[i]!.cost - 1);
    const isUnchanged = begun.every(
      ({ record, changes, blows }) => record.changes === changes && record.blows === blows,
    );
    if (!isExact || !isUnchanged || taken.some(({ degraded }) => degraded)) return;
    const old = memories.get(name);
    if (old !== undefined) drop(name, old);
    if (memories.size >= maxKeys) drop(...(memories.entries().next().value as [string, Memory]));
    for (const { record } of begun) records.join(record);
    const at = clock.elapsed();
    memories.set(name, { taken, at, end: at + Math.min(wait, maxMs * 1000), accounts: begun });
  }

  /** The calls that are under way know whether an account changed meanwhile. */
  function begin(accounts: readonly Account[]): Begun {
    return accounts.map((account) => {
      const record = records.of(account);
      records.join(record);
      return { record, changes: record.changes, blows: record.blows };
    });
  }

  function finish(begun: Begun): void {
    for (const { record } of begun) records.leave(record);
  }

  /** A charge, or units that go back. */
  function changed(begun: Begun, demands: readonly Demand[], taken: readonly Taken[] | undefined): void {
    const now = clock.elapsed();
    for (const [i, { record }] of begun.entries()) {
      const { cost, ledger } = demands[i]!;
      if (cost === 0 || ledger.algorithm.name === "block") continue;
      record.changes++;
      record.latest = taken && { remaining: taken[i]!.remaining, resetAfter: taken[i]!.resetAfter };
      record.at = now;
    }
  }

  function blown(begun: Begun): void {
    for (const { record } of begun) record.blows++;
  }

  function ask(
    demands: readonly Demand[],
    options: TakeOptions | undefined,
    name: string,
  ): Awaitable<readonly Taken[]> {
    const mode = options?.mode ?? Mode.take;
    if (mode === Mode.peek) return store.take(demands, options);
    const begun = begin(demands);
    const isBlow = mode === Mode.force || demands.some(({ cost }) => cost < 0);
    if (isBlow) blown(begun);
    return settled(
      () => store.take(demands, options),
      (taken) => {
        if (isBlow) blown(begun);
        else if (taken === undefined || taken.every(({ allowed }) => allowed)) changed(begun, demands, taken);
        else if (name !== "") remember(name, demands, taken, begun);
        finish(begun);
      },
    );
  }

  function take(demands: readonly Demand[], options?: TakeOptions): Awaitable<readonly Taken[]> {
    const isPlain = (options?.mode ?? Mode.take) === Mode.take && demands.every(isRepeatable);
    const name = isPlain ? nameOf(demands) : "";
    return (isPlain ? recall(name, demands) : undefined) ?? ask(demands, options, name);
  }

  function forget(accounts: readonly Account[]): Awaitable<void> {
    const begun = begin(accounts);
    blown(begun);
    return settled(
      () => store.forget(accounts),
      () => {
        blown(begun);
        finish(begun);
      },
    );
  }

  const own = {
    ...(store.clock && { clock: store.clock as Clock }),
    take,
    forget,
    ...(store.queue && { queue: (terms: QueueTerms, seat: QueueSeat) => store.queue!(terms, seat) }),
    ...(store.document && { document: (name: string) => store.document!(name) }),
    ...(store.close && { close: () => store.close!() }),
  };
  // A line charges the store itself, which is as fast as any memory.
  return (isSync(store) ? { ...own, sync: true, line: (ledger) => store.line(ledger) } : own) as Remembering<S>;
}

type Begun = Memory["accounts"];

/** Whether the same demand gets the same answer: a place has a name each time, and a part may be there when the whole is not. */
const isRepeatable = ({ cost, least, receipt, ledger }: Demand): boolean =>
  cost >= 0 && least === undefined && receipt === undefined && ledger.algorithm.name !== "concurrency";

const nameOf = (demands: readonly Demand[]): string => demands.map(nameOfOne).join();

/** A space is that of one algorithm with certain numbers, unless usage is carried over from one to another. */
function nameOfOne({ ledger: { space, algorithm }, key, cost }: Demand): string {
  const numbers = algorithm.carries ? algorithm.params.join("/") : "";
  return `${cost}/${numbers}/${space.length}/${space}${key.length}/${key}`;
}

/** An answer some microseconds later, when nothing has happened meanwhile. */
function aged(taken: Taken, passed: number): Taken {
  return {
    ...taken,
    retryAfter: taken.allowed ? 0 : taken.retryAfter - passed,
    resetAfter: Math.max(0, taken.resetAfter - passed),
  };
}

/** Tells what came of an action, now or later: `undefined` when it failed. */
function settled<T>(action: () => Awaitable<T>, tell: (value: T | undefined) => void): Awaitable<T> {
  let value: Awaitable<T>;
  try {
    value = action();
  } catch (error) {
    tell(undefined);
    throw error;
  }
  const done = (found: T): T => {
    tell(found);
    return found;
  };
  if (!isPromise(value)) return done(value);
  return value.then(done, (error: unknown) => {
    tell(undefined);
    throw error;
  });
}
