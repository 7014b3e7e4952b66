import { shown, wholeNumber } from "../../algorithms/numbers.ts";
import type { ConcurrencyLimiter } from "../../limiter/concurrency-limiter.ts";
import type { Limiter } from "../../limiter/limiter.ts";
import type { Quota } from "../../limiter/quota.ts";
import { type QuotaLike, toQuotas } from "../../limiter/rate.ts";
import type { Claim } from "../../limiter/reservation.ts";
import type { Store } from "../../limiter/store.ts";
import { createConcurrencyLimiter, createLimiter } from "../../stores/create-limiter.ts";
import type { McpCall } from "./call.ts";
import { COUNTED_BY_NAME_ONLY, NEVER_BLOCKED } from "./never-block.ts";

/** One limit in full. */
export interface LimitOptions {
  /** How much in which time: one quota or several. */
  readonly quota?: QuotaLike | readonly QuotaLike[];
  /** At most this many at once. */
  readonly concurrency?: number;
  /** A place that is not given back is free after this long; it is renewed while the call runs. @default 60_000 */
  readonly leaseMs?: number;
  /** Units that a call takes of the quotas. @default 1 */
  readonly cost?: number | ((call: McpCall) => number);
  /** Whether each client has this limit, or all clients share it. @default "client" */
  readonly per?: "client" | "everyone";
}

/** A limit: a rate such as `"10/min"`, a quota, a limit in full, or several that must all agree. */
export type LimitLike = QuotaLike | LimitOptions | readonly (QuotaLike | LimitOptions)[];

/** Which calls fall under which limits. All that match one call are decided together: all are charged, or none. */
export interface McpLimits {
  /** All requests of a client, but for `initialize`, lists and subscriptions. */
  readonly perClient?: LimitLike;
  /** The same requests, of all clients together. */
  readonly global?: LimitLike;
  /** Requests of one method, per client: `{ "resources/read": "30/min", initialize: "10/min" }`. */
  readonly methods?: Readonly<Record<string, LimitLike>>;
  /**
   * Calls of one tool, per client: `{ search: "10/min" }`. `"*"` is the limit of all other tools
   * together: a client that makes up names of tools must not get a new limit with each.
   */
  readonly tools?: Readonly<Record<string, LimitLike>>;
}

/** A limit that applies to a call. */
export interface Rule {
  /** What is limited, for people and models: `the tool "search"`. */
  readonly subject: string;
  readonly per: "client" | "everyone";
  matches(call: McpCall): boolean;
  /** Whether a place is held while the call runs. */
  readonly holdsPlaces: boolean;
  /** What the call asks of the store, for the key of its client. */
  claims(call: McpCall, client: string): readonly RuleClaim[];
}

/** A claim, and what a refusal says about it. */
export interface RuleClaim extends Claim {
  readonly quota: Quota;
  readonly rule: Rule;
  /** A place, which is given back when the call has ended. */
  readonly place?: ConcurrencyLimiter;
}

/** The key of limits that all clients share. */
const EVERYONE = "everyone";

/** @throws RangeError, TypeError for limits that cannot be, naming where they stand. */
export function rulesOf(
  { perClient, global, methods = {}, tools = {} }: McpLimits,
  store: Store,
  name: string,
): readonly Rule[] {
  const rules: Rule[] = [];
  const add = (
    where: string,
    subject: string,
    given: LimitLike | undefined,
    matches: Rule["matches"],
    per?: "everyone",
  ) => {
    if (given === undefined) return;
    [given].flat().forEach((one, i) => {
      try {
        rules.push(
          ruleOf(
            `${name}/${where}/${i}`,
            i === 0 ? where : `${where}.${i + 1}`,
            subject,
            toOptions(one, per),
            matches,
            store,
          ),
        );
      } catch (cause) {
        throw new RangeError(`The limit ${where}: ${(cause as Error).message}`, { cause });
      }
    });
  };
  const isCounted = ({ method }: McpCall) => !COUNTED_BY_NAME_ONLY.has(method);
  add("perClient", "requests", perClient, isCounted);
  add("global", "requests", global, isCounted, "everyone");
  for (const [method, limit] of Object.entries(methods)) {
    if (NEVER_BLOCKED.has(method) || method.startsWith("notifications/")) {
      throw new RangeError(
        `${shown(method)} must never be refused (it would break clients), so it cannot have a limit.`,
      );
    }
    add(`methods.${method}`, `the method ${method}`, limit, (call) => call.method === method);
  }
  const named = new Set(Object.keys(tools).filter((tool) => tool !== "*"));
  for (const [tool, limit] of Object.entries(tools)) {
    if (named.has(tool)) add(`tools.${tool}`, `the tool "${tool}"`, limit, (call) => call.tool === tool);
  }
  add(
    "tools.*",
    named.size === 0 ? "all tools together" : "all other tools together",
    tools["*"],
    ({ method, tool }) => method === "tools/call" && !(tool !== undefined && named.has(tool)),
  );
  return rules;
}

function toOptions(given: QuotaLike | LimitOptions, per: "client" | "everyone" = "client"): LimitOptions {
  if (typeof given === "string" || (typeof given === "object" && given !== null && "algorithm" in given))
    return { quota: given, per };
  if (typeof given !== "object" || given === null || (given.quota === undefined && given.concurrency === undefined)) {
    throw new TypeError(
      `a limit is a rate such as "10/min", a quota, or { quota, concurrency, cost, per }, but it is ${shown(given)}.`,
    );
  }
  return { per, ...given };
}

function ruleOf(
  name: string,
  where: string,
  subject: string,
  { quota, concurrency, leaseMs, cost = 1, per = "client" }: LimitOptions,
  matches: Rule["matches"],
  store: Store,
): Rule {
  if (typeof cost === "number") wholeNumber("cost", cost, 0);
  const limiter =
    quota === undefined
      ? undefined
      : createLimiter({ name, quota: toQuotas(quota).map((one) => renamed(one, where)), store });
  const places =
    concurrency === undefined
      ? undefined
      : createConcurrencyLimiter({ name, limit: concurrency, store, ...(leaseMs !== undefined && { leaseMs }) });
  const rule: Rule = {
    subject,
    per,
    matches,
    holdsPlaces: places !== undefined,
    claims(call, client) {
      const key = per === "everyone" ? EVERYONE : client;
      return [
        ...(limiter === undefined
          ? []
          : rateClaims(rule, limiter, key, typeof cost === "function" ? cost(call) : cost)),
        ...(places === undefined ? [] : [placeClaim(rule, places, where, key)]),
      ];
    },
  };
  return rule;
}

/** The limiter's claims also name its block, over stores that cannot say at once that there is none: a gate never blocks. */
function rateClaims(rule: Rule, limiter: Limiter, key: string, cost: number): readonly RuleClaim[] {
  const claims = limiter.claims(key, cost);
  return limiter.quotas.map((quota, i) => ({ quota, demand: claims[i]!.demand, rule }));
}

function placeClaim(rule: Rule, place: ConcurrencyLimiter, where: string, key: string): RuleClaim {
  return { quota: renamed({ ...place.quota, name: "concurrency" }, where), demand: place.demand(key), rule, place };
}

/** A quota named after its place among the limits, so that names differ within one answer. */
function renamed(quota: Quota, where: string): Quota {
  const prefix = where
    .toLowerCase()
    .replaceAll("*", "other")
    .replaceAll(/[^a-z0-9_.-]/g, "-");
  return { ...quota, name: `${prefix}.${quota.name}` };
}
