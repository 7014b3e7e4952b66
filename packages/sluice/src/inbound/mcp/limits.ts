import { shown } from "../../algorithms/numbers.ts";
import type { QuotaLike } from "../../limiter/rate.ts";
import type { Store } from "../../limiter/store.ts";
import type { McpCall } from "../../policy/call.ts";
import type { Cost } from "../../policy/cost.ts";
import { COUNTED_BY_NAME_ONLY, NEVER_BLOCKED } from "../../policy/never-block.ts";
import { type Policy, rulesOfPolicies } from "../../policy/policy.ts";
import { type Rule, ruleOf } from "../../policy/rule.ts";
import type { Settle } from "../../policy/settle.ts";
import type { McpRateLimitOptions } from "./options.ts";

/** One limit in full. */
export interface LimitOptions {
  /** How much in which time: one quota or several. */
  readonly quota?: QuotaLike | readonly QuotaLike[];
  /** At most this many at once. */
  readonly concurrency?: number;
  /** A place that is not given back is free after this long; it is renewed while the call runs. @default 60_000 */
  readonly leaseMs?: number;
  /** Units that a call takes of the quotas. @default 1 */
  readonly cost?: Cost;
  /** What a call really cost, by its result: corrects what `cost` charged when it began. @default what it charged */
  readonly settle?: Settle;
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
  /** What the four above cannot say: patterns, keys of several parts, tiers, costs by argument, limits on trial. */
  readonly policies?: readonly Policy[];
}

/** The key of limits that all clients share. */
const EVERYONE = "everyone";

/** What holds for all limits of a server. */
type RuleSettings = Pick<McpRateLimitOptions, "whenChanged" | "mode" | "overrides" | "onAdapt">;

/** @throws RangeError, TypeError for limits that cannot be, naming where they stand. */
export function rulesOf(
  { perClient, global, methods = {}, tools = {}, policies = [] }: McpLimits,
  store: Store,
  name: string,
  { whenChanged, mode, overrides, onAdapt }: RuleSettings = {},
): readonly Rule[] {
  const rules: Rule[] = [];
  const add = (
    where: string,
    subject: string,
    given: LimitLike | undefined,
    matches: Rule["matches"],
    { per, tools: ofTools }: { readonly per?: "everyone"; readonly tools?: readonly string[] } = {},
  ) => {
    if (given === undefined) return;
    [given].flat().forEach((one, i) => {
      try {
        const { per: shared = "client", ...limits } = toOptions(one, per);
        rules.push(
          ruleOf({
            ...limits,
            name: `${name}/${mode === "shadow" ? "shadow/" : ""}${where}/${i}`,
            where: i === 0 ? where : `${where}.${i + 1}`,
            subject,
            per: shared,
            matches,
            tools: ofTools,
            keyOf: shared === "everyone" ? () => EVERYONE : (_call, client) => client,
            store,
            whenChanged,
            overrides,
            ...(mode !== undefined && { mode }),
          }),
        );
      } catch (cause) {
        throw new RangeError(`The limit ${where}: ${(cause as Error).message}`, { cause });
      }
    });
  };
  const isCounted = ({ method }: McpCall) => !COUNTED_BY_NAME_ONLY.has(method);
  add("perClient", "requests", perClient, isCounted);
  add("global", "requests", global, isCounted, { per: "everyone" });
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
    if (named.has(tool)) {
      add(`tools.${tool}`, `the tool "${tool}"`, limit, (call) => call.tool === tool, { tools: [tool] });
    }
  }
  add(
    "tools.*",
    named.size === 0 ? "all tools together" : "all other tools together",
    tools["*"],
    ({ method, tool }) => method === "tools/call" && !(tool !== undefined && named.has(tool)),
  );
  const onTrial = mode === "shadow" ? policies.map((policy) => ({ ...policy, mode })) : policies;
  return [
    ...rules,
    ...rulesOfPolicies(onTrial, store, name, {
      whenChanged,
      overrides,
      onAdapt: onAdapt && ((policy, level) => onAdapt({ policy, level })),
    }),
  ];
}

function toOptions(given: QuotaLike | LimitOptions, per: "client" | "everyone" = "client"): LimitOptions {
  if (typeof given === "string" || (typeof given === "object" && given !== null && "algorithm" in given))
    return { quota: given, per };
  if (typeof given !== "object" || given === null || (given.quota === undefined && given.concurrency === undefined)) {
    throw new TypeError(
      `a limit is a rate such as "10/min", a quota, or { quota, concurrency, cost, settle, per }, but it is ${shown(given)}.`,
    );
  }
  return { per, ...given };
}
