import type { LimitLike, LimitOptions } from "../../inbound/mcp/limits.ts";
import type { McpRateLimitOptions } from "../../inbound/mcp/options.ts";
import type { Cost } from "../../policy/cost.ts";
import type { Settle } from "../../policy/settle.ts";

/** What limits look at in calls: without it they could not be decided about again. */
export interface UsedValues {
  /** Paths of arguments that say what a call costs: their numbers are written. */
  readonly costs: readonly string[];
  /** Paths of arguments that are parts of keys: a hash is written. */
  readonly keys: readonly string[];
  /** Headers that are parts of keys: a hash is written. */
  readonly headers: readonly string[];
  /** Paths in results that say what a call really cost: their numbers are written. */
  readonly results: readonly string[];
  /** Whether it matters that two calls, or two results, are the same: a hash of the whole is written. */
  readonly repetitions: boolean;
  /** URIs of resources are matched by patterns: they are written as they are. */
  readonly resources: boolean;
}

/** The limits of a gate, as it is given them. */
export type RecordedLimits = Pick<
  McpRateLimitOptions,
  "perClient" | "global" | "methods" | "tools" | "policies" | "loops"
>;

/** What these limits look at. Functions (`cost`, `key`, `settle`) cannot be looked into. */
export function usedValues({
  perClient,
  global,
  methods = {},
  tools = {},
  policies = [],
  loops,
}: RecordedLimits): UsedValues {
  const costs = new Set<string>();
  const keys = new Set<string>();
  const headers = new Set<string>();
  const results = new Set<string>();
  const add = ({ cost, settle }: { readonly cost?: Cost | undefined; readonly settle?: Settle | undefined }) => {
    if (typeof cost === "object" && typeof cost.argument === "string") costs.add(cost.argument);
    if (typeof settle === "object") results.add(settle.result);
  };
  for (const limit of [perClient, global, ...Object.values(methods), ...Object.values(tools)]) {
    for (const one of [limit].flat() as readonly (LimitLike | undefined)[]) {
      if (typeof one === "object" && !("algorithm" in one)) add(one as LimitOptions);
    }
  }
  for (const policy of policies) {
    add(policy);
    const { key = "client" } = policy;
    for (const part of typeof key === "function" ? [] : [key].flat()) {
      const [kind, name = ""] = part.split(/:(.*)/s);
      if (kind === "argument") keys.add(name);
      if (kind === "header") headers.add(name.toLowerCase());
    }
  }
  return {
    costs: [...costs],
    keys: [...keys],
    headers: [...headers],
    results: [...results],
    repetitions: loops !== undefined && loops !== false,
    resources: policies.some(({ match }) => match?.resource !== undefined || match?.not?.resource !== undefined),
  };
}
