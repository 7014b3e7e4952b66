import { systemClock } from "../limiter/clock.ts";
import type { ConcurrencyLimiter } from "../limiter/concurrency-limiter.ts";
import type { Decision } from "../limiter/decision.ts";
import type { Limiter } from "../limiter/limiter.ts";
import type { Quota } from "../limiter/quota.ts";
import type { QuotaLike } from "../limiter/rate.ts";
import type { Claim } from "../limiter/reservation.ts";
import { isSync, type Store, type WhenChanged } from "../limiter/store.ts";
import { type Adaptation, type AdaptOptions, adaptation } from "./adapt.ts";
import type { McpCall } from "./call.ts";
import { type Cost, costOf } from "./cost.ts";
import type { KeyOf } from "./key.ts";
import type { Overrides } from "./overrides.ts";
import { placesOf } from "./places.ts";
import { ratesOf } from "./rates.ts";
import type { ScheduledQuota } from "./schedule.ts";
import { type Settle, settlerOf } from "./settle.ts";

/** Who calls: whose limits are charged, and which of several sets of quotas is his. */
export interface Caller {
  readonly client: string;
  /** @default "*" */
  readonly tier?: string | undefined;
}

/** A limit that applies to a call. */
export interface Rule {
  /** The name of the policy or limit, as it stands in the options: `tools.search`. */
  readonly name: string;
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
  /** Takes what the call asks, if that is units of one quota and nothing else, over a store that answers at once. */
  consume?(call: McpCall, caller: Caller): Decision | undefined;
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

/** One quota or several, as they are written. */
export type Quotas = QuotaLike | readonly QuotaLike[];

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

/** @throws RangeError, TypeError for limits that cannot be. */
export function ruleOf(options: RuleOptions): Rule {
  const { where, subject, per, matches, keyOf, store, mode = "enforce", maxWaitMs } = options;
  const cost = costOf(options.cost);
  const settler = options.settle === undefined ? undefined : settlerOf(options.settle);
  const { adapt = false, onAdapt = () => {} } = options;
  const adapts = adapt === false ? undefined : adaptation(adapt, store.clock ?? systemClock, onAdapt);
  const rates = ratesOf(options);
  const places = placesOf(options, adapts);
  if (rates === undefined && places === undefined) {
    throw new TypeError("it limits nothing: give it a quota, tiers or concurrency.");
  }
  if (settler !== undefined && rates === undefined) {
    throw new TypeError("settle corrects what a quota was charged, and there is no quota.");
  }
  if (settler !== undefined && adapts !== undefined) {
    throw new TypeError("adapt makes calls cost more, and settle says what they cost: a policy has one of them.");
  }

  const rule: Rule = {
    name: where,
    subject,
    per,
    mode,
    ...(maxWaitMs !== undefined && { maxWaitMs }),
    tools: options.tools,
    ...(options.advice !== undefined && { advice: options.advice }),
    matches,
    quotas: [...(rates?.quotas ?? []), ...(places === undefined ? [] : [places.quota])],
    settles: settler !== undefined,
    ...(adapts !== undefined && { adaptation: adapts }),
    holdsPlaces: places !== undefined,
    blockedUntil: ({ client }) => options.overrides?.blockedUntil(where, client),
    ...(rates !== undefined &&
      isSync(store) &&
      places === undefined &&
      settler === undefined &&
      adapts === undefined && {
        consume(call: McpCall, caller: Caller) {
          const key = keyOf(call, caller.client);
          const limiters = rates.limitersFor(caller);
          if (key === undefined || limiters.length !== 1 || limiters[0]!.quotas.length !== 1) return undefined;
          return limiters[0]!.consume(key, cost(call)) as Decision;
        },
      }),
    claims(call, caller) {
      const key = keyOf(call, caller.client);
      if (key === undefined) return [];
      const claims: RuleClaim[] = [];
      const settled = settler && { call, costOf: (result: unknown) => settler(result, call) };
      for (const one of rates?.limitersFor(caller) ?? []) {
        const units = adapts === undefined ? cost(call) : raised(adapts.costOf(call, cost(call)), cost(call), one);
        claims.push(...rateClaims(rule, one, key, units, settled));
      }
      if (places !== undefined) {
        const place = places.now();
        claims.push({ quota: places.quotaOf(place), demand: place.demand(key), rule, place });
      }
      return claims;
    },
  };
  return rule;
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
