import { type HitStore, type HitStoreOptions, hitStore } from "./hit-store.ts";

export type { HitInfo, HitStore, HitStoreHost, HitStoreOptions } from "./hit-store.ts";
export type { CompatOptions } from "./window-counter.ts";

/**
 * A store for hono-rate-limiter 0.5, for its requests and its messages: its window and its limit, counted by Sluice.
 *
 * A refused request is not charged, and `totalHits` is then one more than the limit, however often it comes. Where
 * `limit` is a function, say the greatest that it can give as `maxLimit`. Needs `node:async_hooks`.
 *
 * @example
 * app.use(rateLimiter({ windowMs: 60_000, limit: 100, keyGenerator, store: sluiceStore() }));
 */
export function sluiceStore(options: HitStoreOptions = {}): HitStore {
  return hitStore("hono-rate-limiter", options);
}
