import { shown } from "../../algorithms/numbers.ts";
import { systemClock } from "../../limiter/clock.ts";
import { milliseconds } from "../../limiter/duration.ts";
import { RateLimitError } from "../../limiter/errors.ts";
import type { Store } from "../../limiter/store.ts";
import { isCallersFault } from "../../stores/errors.ts";
import { LockError } from "./lock-error.ts";
import { lockLines, MAX_WAITING } from "./lock-lines.ts";
import type { Hold } from "./stored-lock.ts";
import { tenure } from "./tenure.ts";

export interface WithLockOptions {
  /**
   * After so long without renewal a holder counts as lost, and the lock is free. It is renewed three times in this time
   * while the work runs. In milliseconds, from 10 to an hour. @default 30_000
   */
  readonly leaseMs?: number;
  /**
   * Wait no longer than this for the lock. 0: take it now or not at all. In milliseconds.
   *
   * @default leaseMs: so long the lock of a process that died may still be held
   */
  readonly maxWaitMs?: number;
  /** Ends the wait at once; while the work runs, aborts the work's own signal. */
  readonly signal?: AbortSignal | undefined;
}

/** What work under a lock is given. */
export interface Locked {
  /** Aborts when the lock was lost, with a {@link LockError}, or when the caller's signal does. Stop then. */
  readonly signal: AbortSignal;
  /**
   * Fencing token: a whole number that is greater for every later holder. Send it along with what you write, and let
   * the resource refuse a token that is smaller than one it has seen.
   */
  readonly token: number;
}

/** Longer leases could not be told from those of a clock that was set back. */
const LONGEST_LEASE_MS = 3_600_000;
const SHORTEST_LEASE_MS = 10;

/**
 * Mutual exclusion between all who use one store: of those who give the same name, one runs at a time.
 *
 * The lock is leased: that of a process that died is free after `leaseMs` at the latest. So it can be lost, as with
 * every lock that survives its holder: a process may be stopped for longer than its lease, or the store may fail or
 * forget. Then `signal` aborts, and what the work returns is not returned. But who is stopped cannot notice until he
 * goes on: where two at once would do harm, the resource has to look at the `token`.
 *
 * Whoever waits in one process gets the lock in the order in which they came. Between processes the order is not
 * exact, but nobody who has come to be next is overtaken. A lock within itself waits for itself.
 *
 * @example
 * await withLock(store, "refresh-token", async ({ signal, token }) => {
 *   await saveToken(await refresh({ signal }), { fence: token });
 * });
 *
 * @param store over SQLite for the processes of one machine, over Redis for many machines, in memory for this process.
 * @throws LockError with `LOCK_NOT_ACQUIRED`: nothing was run, because the lock was not free in time or the store
 *   failed (its `cause`). With `LOCK_LOST`: the work was run, but not to its end under the lock. Throws the signal's
 *   reason when it aborts the wait, and what the work throws.
 */
export async function withLock<T>(
  store: Store,
  name: string,
  work: (locked: Locked) => T | PromiseLike<T>,
  options: WithLockOptions = {},
): Promise<T> {
  const { leaseMs = 30_000, maxWaitMs = leaseMs, signal } = options;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`The name of a lock is a text that is not empty, but it is ${shown(name)}.`);
  }
  if (!(leaseMs >= SHORTEST_LEASE_MS && leaseMs <= LONGEST_LEASE_MS)) {
    throw new RangeError(`leaseMs must be a number of milliseconds from 10 to an hour, but it is ${shown(leaseMs)}.`);
  }
  milliseconds("maxWaitMs", maxWaitMs, 0);
  signal?.throwIfAborted();
  const lines = lockLines(store);
  const { clock = systemClock } = store;
  const hold = await acquired(name, maxWaitMs, signal, () => lines.wait(name, leaseMs, { maxWaitMs, signal }));
  const held = tenure({ lock: name, hold, leaseMs, clock, onLost: () => lines.left(name, hold) });
  try {
    const all = signal === undefined ? held.signal : AbortSignal.any([signal, held.signal]);
    const result = await work({ signal: all, token: hold.token });
    held.complete();
    return result;
  } finally {
    held.end();
    await hold.release();
    lines.left(name, hold);
  }
}

async function acquired(
  lock: string,
  maxWaitMs: number,
  signal: AbortSignal | undefined,
  wait: () => Promise<Hold>,
): Promise<Hold> {
  try {
    return await wait();
  } catch (error) {
    if (error instanceof RateLimitError) throw notAcquired(lock, maxWaitMs, error);
    if ((signal?.aborted && error === signal.reason) || isCallersFault(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const message = `The store could not be asked for the lock ${JSON.stringify(lock)}, and nothing was run: ${why}`;
    throw new LockError(message, { code: "LOCK_NOT_ACQUIRED", lock, cause: error });
  }
}

function notAcquired(lock: string, maxWaitMs: number, { decision }: RateLimitError): LockError {
  const why = decision.degraded
    ? "its store does not answer, and what answers in its place cannot lock"
    : `somebody else has it, and it was not free within ${maxWaitMs} ms, or more than ${MAX_WAITING} wait for it here`;
  return new LockError(`The lock ${JSON.stringify(lock)} was not acquired, and nothing was run: ${why}.`, {
    code: "LOCK_NOT_ACQUIRED",
    lock,
    retryAfterMs: decision.resetAfterMs,
  });
}
