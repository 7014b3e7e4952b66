import type { ConcurrencyLimiter } from "../limiter/concurrency-limiter.ts";
import type { Quota } from "../limiter/quota.ts";
import { createConcurrencyLimiter } from "../stores/create-limiter.ts";
import type { Adaptation } from "./adapt.ts";
import { renamed } from "./renamed.ts";
import type { RuleOptions } from "./rule.ts";

/** The places of a rule: how many of its calls run at once. */
export interface Places {
  /** All of them. */
  readonly quota: Quota;
  /** As many as there are now. */
  now(): ConcurrencyLimiter;
  /** What is said of them. */
  quotaOf(places: ConcurrencyLimiter): Quota;
}

/** @throws RangeError for a number of places that cannot be */
export function placesOf(
  { name, where, store, concurrency, leaseMs, whenChanged = "fresh" }: RuleOptions,
  adapts: Adaptation | undefined,
): Places | undefined {
  if (concurrency === undefined) return undefined;
  const limited = (limit: number): ConcurrencyLimiter =>
    createConcurrencyLimiter({
      name,
      limit,
      store,
      // A limit that is lowered and raised goes on with the places that are taken.
      whenChanged: adapts === undefined ? whenChanged : "carry",
      ...(leaseMs !== undefined && { leaseMs }),
    });
  const all = limited(concurrency);
  const lowered = new Map<number, ConcurrencyLimiter>();
  const quotaOf = ({ quota }: ConcurrencyLimiter): Quota => renamed({ ...quota, name: "concurrency" }, where);

  return {
    quota: quotaOf(all),
    quotaOf,
    now() {
      if (adapts === undefined || adapts.level === 1) return all;
      const limit = Math.max(1, Math.floor(concurrency * adapts.level));
      let fewer = lowered.get(limit);
      if (fewer === undefined) {
        fewer = limited(limit);
        lowered.set(limit, fewer);
      }
      return fewer;
    },
  };
}
