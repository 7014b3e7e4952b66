import { type Awaitable, isSync, type Store, type SyncStore } from "./store.ts";

/** Whether a limiter answers at once (over a store in memory) or with promises. */
export type Timing = "sync" | "async";

/** `T` where answers come at once, a promise of it where they do not. */
export type Reply<M extends Timing, T> = M extends "sync" ? T : Promise<T>;

/** The store of a limiter that answers so. */
export type StoreFor<M extends Timing> = M extends "sync" ? SyncStore : Store;

/**
 * Go on with a value now, or when it is there: what keeps decisions in memory synchronous.
 *
 * (Not named `then`: a module that exports that cannot be imported dynamically.)
 */
export function chain<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Reply<Timing, R> {
  return (isPromise(value) ? value.then(next) : next(value)) as Reply<Timing, R>;
}

/** What a limiter over the store answers: always a promise, unless the store always answers at once. */
export function replyOf<T>(store: Store, value: Awaitable<T>): Reply<Timing, T> {
  return (isSync(store) || isPromise(value) ? value : Promise.resolve(value)) as Reply<Timing, T>;
}

export function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === "function";
}

/** Does what may fail at once or later; either way `fail` hears of it, and nobody else does. */
export function guarded(action: () => Awaitable<void>, fail: (error: unknown) => void): void {
  try {
    const done = action();
    if (isPromise(done)) void done.then(undefined, fail);
  } catch (error) {
    fail(error);
  }
}
