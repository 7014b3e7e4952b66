import {
  type ConcurrencyLimiter,
  type ConcurrencyLimiterOptions,
  concurrencyLimiterOver,
} from "../limiter/concurrency-limiter.ts";
import { type Limiter, type LimiterOptions, limiterOver } from "../limiter/limiter.ts";
import type { Store, SyncStore } from "../limiter/store.ts";
import { memoryStore } from "./memory/memory.ts";

/** How a limiter over `S` answers. */
type TimingOf<S extends Store> = S extends SyncStore ? "sync" : "async";

type StoreOptional<O extends { readonly store: unknown }> = Omit<O, "store"> & Partial<Pick<O, "store">>;

/**
 * Quotas over a store, as one thing to ask.
 *
 * @example
 * const limiter = createLimiter({ quota: "60/min" });
 * const { allowed, retryAfterMs } = limiter.consume("user-1");
 *
 * @param options `store` is a memory store of its own unless given, and then decisions come at once.
 * @throws RangeError for a quota that cannot be.
 */
export function createLimiter<S extends Store = SyncStore>(
  options: StoreOptional<LimiterOptions<S>>,
): Limiter<TimingOf<S>> {
  return limiterOver({ ...options, store: options.store ?? memoryStore() }) as Limiter<TimingOf<S>>;
}

/**
 * At most so many calls at once, per key.
 *
 * @example
 * const slots = createConcurrencyLimiter({ limit: 3 });
 * await slots.run("user-1", () => slowWork());
 */
export function createConcurrencyLimiter<S extends Store = SyncStore>(
  options: StoreOptional<ConcurrencyLimiterOptions<S>>,
): ConcurrencyLimiter<TimingOf<S>> {
  return concurrencyLimiterOver({ ...options, store: options.store ?? memoryStore() }) as ConcurrencyLimiter<
    TimingOf<S>
  >;
}
