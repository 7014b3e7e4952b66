import { shown } from "../algorithms/numbers.ts";
import { systemClock } from "../limiter/clock.ts";
import type { ConcurrencyLimiter } from "../limiter/concurrency-limiter.ts";
import type { Limiter } from "../limiter/limiter.ts";
import type { Quota } from "../limiter/quota.ts";
import { type QuotaLike, toQuotas } from "../limiter/rate.ts";
import type { Claim } from "../limiter/reservation.ts";
import type { Store, WhenChanged } from "../limiter/store.ts";
import { createConcurrencyLimiter, createLimiter } from "../stores/create-limiter.ts";
import { type Adaptation, type AdaptOptions, adaptation } from "./adapt.ts";
import type { McpCall } from "./call.ts";
import { type Cost, costOf } from "./cost.ts";
import type { KeyOf } from "./key.ts";
import { BLOCKED, type Override, type Overrides, UNLIMITED } from "./overrides.ts";
import { type ScheduledQuota, timetable } from "./schedule.ts";
import { type Settle, settlerOf } from "./settle.ts";

/** Who calls: whose limits are charged, and which of several sets of quotas is his. */
export interface Caller {
  readonly client: string;
  /** @default "*" */
  readonly tier?: string | undefined;
}

/** A limit that applies to a call. */
export interface Rule {
  /** What is limited, for people and models: `the tool "search"`. */
  readonly subject: string;
  readonly per: "client" | "everyone";
  /** A shadow rule is charged and heard of, and refuses nothing. */
  readonly mode: "enforce" | "shadow";
  /** How long a call may stand in line. @default what the gate says */
  readonly maxWaitMs?: number;
  /** Ends the text of its refusals. */
  readonly advice?: string;
  matches(call: McpCall): boolean;
  /** It applies to calls of these tools, and to nothing else. @default it may apply to any call */
  readonly tools?: readonly string[] | undefined;
  /** All quotas that it may charge. Not those of overrides. */
  readonly quotas: readonly Quota[];
  /** Whether the result of a call says what it cost. */
  readonly settles: boolean;
  /** Lowers it while the server is slow or fails. */
  readonly adaptation?: Adaptation;
  /** Whether a place is held while the call runs. */
  readonly holdsPlaces: boolean;
  /** Until when nothing of this caller passes, in milliseconds since 1970. @default it does */
  blockedUntil(caller: Caller): number | undefined;
  /** What the call asks of the store. */
  claims(call: McpCall, caller: Caller): readonly RuleClaim[];
}

/** A claim, and what a refusal says about it. */
export interface RuleClaim extends Claim {
  readonly quota: Quota;
  readonly rule: Rule;
  /** What the call really cost, once its result is known. */
  readonly settled?: { readonly call: McpCall; costOf(result: unknown): number | undefined };
  /** A place, which is given back when the call has ended. */
  readonly place?: ConcurrencyLimiter;
}

type Quotas = QuotaLike | readonly QuotaLike[];

/** What a rule limits by. */
interface RuleLimits {
  readonly quota?: Quotas | undefined;
  /** Other quotas for each tier; `"*"` for all others. Usage is carried over when a caller changes tiers. */
  readonly tiers?: Readonly<Record<string, Quotas>> | undefined;
  /** Other quotas than `quota` at certain times; the first one that it is. */
  readonly schedule?: readonly ScheduledQuota[] | undefined;
  readonly concurrency?: number | undefined;
  readonly leaseMs?: number | undefined;
  readonly cost?: Cost | undefined;
  readonly settle?: Settle | undefined;
  readonly adapt?: boolean | AdaptOptions | undefined;
}

export interface RuleOptions extends Pick<Rule, "subject" | "per" | "matches" | "tools">, RuleLimits {
  /** Of the limiters: rules with one name and store share their states. */
  readonly name: string;
  /** Goes in front of the names of the quotas, so that names differ within one answer. */
  readonly where: string;
  readonly keyOf: KeyOf;
  readonly store: Store;
  readonly mode?: Rule["mode"];
  readonly maxWaitMs?: number;
  readonly advice?: string;
  /** What becomes of usage when quotas get other numbers. @default "fresh" */
  readonly whenChanged?: WhenChanged | undefined;
  /** Hears how far it is lowered. */
  readonly onAdapt?: ((level: number) => void) | undefined;
  /** Other rates for some clients. */
  readonly overrides?: Overrides | undefined;
}

/** Different overrides that are kept ready. */
const MAX_OVERRIDDEN = 1_000;
/** The tier of callers who have none. */
const OTHER_TIERS = "*";

/** @throws RangeError, TypeError for limits that cannot be. */
export function ruleOf(options: RuleOptions): Rule {
  const {
    name,
    where,
    subject,
    per,
    matches,
    keyOf,
    store,
    mode = "enforce",
    quota,
    tiers,
    leaseMs,
    maxWaitMs,
  } = options;
  const { whenChanged = "fresh" } = options;
  const cost = costOf(options.cost);
  const settler = options.settle === undefined ? undefined : settlerOf(options.settle);
  const limiterOf = (quotas: Quotas, changed: WhenChanged) =>
    createLimiter({ name, quota: toQuotas(quotas).map((one) => renamed(one, where)), store, whenChanged: changed });
  const limiter = quota === undefined ? undefined : limiterOf(quota, whenChanged);
  const own: readonly Limiter[] = limiter === undefined ? [] : [limiter];
  const byTier = tiers === undefined ? undefined : tiersOf(tiers, (quotas) => limiterOf(quotas, "carry"));
  const { concurrency, adapt = false, onAdapt = () => {} } = options;
  const adapts = adapt === false ? undefined : adaptation(adapt, store.clock ?? systemClock, onAdapt);
  const placesOf = (limit: number) =>
    createConcurrencyLimiter({
      name,
      limit,
      store,
      // A limit that is lowered and raised goes on with the places that are taken.
      whenChanged: adapts === undefined ? whenChanged : "carry",
      ...(leaseMs !== undefined && { leaseMs }),
    });
  const places = concurrency === undefined ? undefined : placesOf(concurrency);
  const fewerPlaces = new Map<number, ConcurrencyLimiter>();
  if (limiter === undefined && byTier === undefined && places === undefined) {
    throw new TypeError("it limits nothing: give it a quota, tiers or concurrency.");
  }
  if (settler !== undefined && limiter === undefined && byTier === undefined) {
    throw new TypeError("settle corrects what a quota was charged, and there is no quota.");
  }
  if (settler !== undefined && adapts !== undefined) {
    throw new TypeError("adapt makes calls cost more, and settle says what they cost: a policy has one of them.");
  }
  const scheduled = scheduledLimiters();
  const hasRates = limiter !== undefined || byTier !== undefined;
  const overridden = new Map<string, readonly Limiter[]>();

  /** What limits the rates of a client. */
  function limitersFor(client: string, tier: string): readonly Limiter[] {
    const other = hasRates ? options.overrides?.find(where, client) : undefined;
    if (other !== undefined && other.quota !== BLOCKED) return limitersOf(other);
    const now = scheduled?.((store.clock ?? systemClock).wall() / 1000);
    if (now !== undefined) return now;
    const ofTier = byTier && (byTier.get(tier) ?? byTier.get(OTHER_TIERS)!);
    return ofTier === undefined ? own : [...own, ofTier];
  }

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

  /** As many places as there are now. */
  function placesNow(all: ConcurrencyLimiter): ConcurrencyLimiter {
    if (adapts === undefined || adapts.level === 1) return all;
    const limit = Math.max(1, Math.floor(concurrency! * adapts.level));
    let fewer = fewerPlaces.get(limit);
    if (fewer === undefined) {
      fewer = placesOf(limit);
      fewerPlaces.set(limit, fewer);
    }
    return fewer;
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

  const rule: Rule = {
    subject,
    per,
    mode,
    ...(maxWaitMs !== undefined && { maxWaitMs }),
    tools: options.tools,
    ...(options.advice !== undefined && { advice: options.advice }),
    matches,
    quotas: [
      ...own.flatMap((one) => one.quotas),
      ...[...(byTier?.values() ?? [])].flatMap((one) => one.quotas),
      ...(places === undefined ? [] : [placeQuota(places, where)]),
    ],
    settles: settler !== undefined,
    ...(adapts !== undefined && { adaptation: adapts }),
    holdsPlaces: places !== undefined,
    blockedUntil({ client }) {
      const other = options.overrides?.find(where, client);
      return other?.quota === BLOCKED ? other.until : undefined;
    },
    claims(call, { client, tier = OTHER_TIERS }) {
      const key = keyOf(call, client);
      if (key === undefined) return [];
      const claims: RuleClaim[] = [];
      const settled = settler && { call, costOf: (result: unknown) => settler(result, call) };
      for (const one of limitersFor(client, tier)) {
        const units = adapts === undefined ? cost(call) : raised(adapts.costOf(call, cost(call)), cost(call), one);
        claims.push(...rateClaims(rule, one, key, units, settled));
      }
      if (places !== undefined) claims.push(placeClaim(rule, placesNow(places), where, key));
      return claims;
    },
  };
  return rule;
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

/** A call that could pass can pass, however much it costs for now. */
const raised = (now: number, usual: number, { quotas }: Limiter): number =>
  Math.max(usual, Math.min(now, ...quotas.map(({ algorithm }) => algorithm.capacity)));

/** The limiter's claims also name its block, over stores that cannot say at once that there is none: a gate never blocks. */
function rateClaims(
  rule: Rule,
  limiter: Limiter,
  key: string,
  cost: number,
  settled: RuleClaim["settled"],
): readonly RuleClaim[] {
  const claims = limiter.claims(key, cost);
  return limiter.quotas.map((quota, i) => {
    const claim = { quota, demand: claims[i]!.demand, rule };
    return settled === undefined ? claim : { ...claim, settled };
  });
}

const placeQuota = ({ quota }: ConcurrencyLimiter, where: string): Quota =>
  renamed({ ...quota, name: "concurrency" }, where);

function placeClaim(rule: Rule, place: ConcurrencyLimiter, where: string, key: string): RuleClaim {
  return { quota: placeQuota(place, where), demand: place.demand(key), rule, place };
}

/** A quota named after its place among the limits, so that names differ within one answer. */
function renamed(quota: Quota, where: string): Quota {
  const prefix = where
    .toLowerCase()
    .replaceAll("*", "other")
    .replaceAll(/[^a-z0-9_.-]/g, "-");
  return { ...quota, name: `${prefix}.${quota.name}` };
}
