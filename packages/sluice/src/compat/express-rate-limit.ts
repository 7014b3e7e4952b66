import { type HitStore, type HitStoreOptions, hitStore } from "./hit-store.ts";

export type { HitInfo, HitStore, HitStoreHost, HitStoreOptions } from "./hit-store.ts";
export type { CompatOptions } from "./window-counter.ts";

/**
 * A store for express-rate-limit 8: its window and its limit, counted by Sluice.
 *
 * A refused request is not charged, and `totalHits` is then one more than the limit, however often it comes. Where
 * `limit` is a function, say the greatest that it can give as `maxLimit`.
 *
 * @example
 * app.use(rateLimit({ windowMs: 60_000, limit: 100, store: sluiceStore({ store: sqliteStore({ path: "limits.db" }) }) }));
 */
export function sluiceStore(options: HitStoreOptions = {}): HitStore {
  return hitStore("express-rate-limit", options);
}
