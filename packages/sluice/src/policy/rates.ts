import { shown } from "../algorithms/numbers.ts";
import { systemClock } from "../limiter/clock.ts";
import type { Limiter } from "../limiter/limiter.ts";
import type { Quota } from "../limiter/quota.ts";
import { toQuotas } from "../limiter/rate.ts";
import type { WhenChanged } from "../limiter/store.ts";
import { createLimiter } from "../stores/create-limiter.ts";
import { BLOCKED, type Override, UNLIMITED } from "./overrides.ts";
import { renamed } from "./renamed.ts";
import type { Caller, Quotas, RuleOptions } from "./rule.ts";
import { timetable } from "./schedule.ts";

/** The rates of a rule: of which several sets of quotas can be somebody's. */
export interface Rates {
  /** All quotas. Not those of overrides and of other times. */
  readonly quotas: readonly Quota[];
  /** What limits a caller now. */
  limitersFor(caller: Caller): readonly Limiter[];
}

/** Different overrides that are kept ready. */
const MAX_OVERRIDDEN = 1_000;
/** The tier of callers who have none. */
const OTHER_TIERS = "*";

/** `undefined` without any. @throws RangeError, TypeError for rates that cannot be */
export function ratesOf(options: RuleOptions): Rates | undefined {
  const { name, where, store, quota, tiers, overrides, whenChanged = "fresh" } = options;
  const limiterOf = (quotas: Quotas, changed: WhenChanged) =>
    createLimiter({ name, quota: toQuotas(quotas).map((one) => renamed(one, where)), store, whenChanged: changed });
  const own: readonly Limiter[] = quota === undefined ? [] : [limiterOf(quota, whenChanged)];
  const byTier = tiers === undefined ? undefined : tiersOf(tiers, (quotas) => limiterOf(quotas, "carry"));
  const scheduled = scheduledLimiters();
  if (quota === undefined && byTier === undefined) return undefined;
  const overridden = new Map<string, readonly Limiter[]>();

  /** What limits at certain times. @throws TypeError where there is nothing that it could replace */
  function scheduledLimiters(): ((nowMs: number) => readonly Limiter[] | undefined) | undefined {
    const { schedule } = options;
    if (schedule === undefined) return undefined;
    if (quota === undefined || tiers !== undefined) {
      throw new TypeError("a schedule needs a quota for all other times, and no tiers.");
    }
    const timeOf = timetable(schedule);
    const limiters = schedule.map((one) => [limiterOf(one.quota, whenChanged)]);
    return (nowMs) => {
      const time = timeOf(nowMs);
      return time === undefined ? undefined : limiters[time];
    };
  }

  function limitersOf({ quota: given }: Override): readonly Limiter[] {
    if (given === UNLIMITED) return [];
    const text = String(given);
    let known = overridden.get(text);
    if (known === undefined) {
      if (overridden.size >= MAX_OVERRIDDEN) overridden.clear();
      known = [limiterOf(given, whenChanged)];
      overridden.set(text, known);
    }
    return known;
  }

  return {
    quotas: [...own, ...(byTier?.values() ?? [])].flatMap((one) => one.quotas),
    limitersFor({ client, tier = OTHER_TIERS }) {
      const other = overrides?.find(where, client);
      if (other !== undefined && other.quota !== BLOCKED) return limitersOf(other);
      const now = scheduled?.((store.clock ?? systemClock).wall() / 1000);
      if (now !== undefined) return now;
      const ofTier = byTier && (byTier.get(tier) ?? byTier.get(OTHER_TIERS)!);
      return ofTier === undefined ? own : [...own, ofTier];
    },
  };
}

/** @throws TypeError without quotas for callers of no tier: nobody is to be without a limit by accident. */
function tiersOf(
  tiers: Readonly<Record<string, Quotas>>,
  limiterOf: (quotas: Quotas) => Limiter,
): ReadonlyMap<string, Limiter> {
  if (typeof tiers !== "object" || tiers === null || !Object.hasOwn(tiers, OTHER_TIERS)) {
    throw new TypeError(
      `tiers needs quotas for "*", which is everybody who is in none of the others, but it is ${shown(tiers)}.`,
    );
  }
  return new Map(Object.entries(tiers).map(([tier, quotas]) => [tier, limiterOf(quotas)]));
}
