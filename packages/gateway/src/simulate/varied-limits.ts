import type { Config, LimitConfig, PolicyConfig } from "../config/schema.ts";

/** One rate of a policy file, which can be tried with other numbers. */
export interface VariedLimit {
  /** Where it stands: `perClient`, `tools.search`, a policy by its name. */
  readonly limit: string;
  /** As it is written. */
  readonly rate: string;
  /** Of a policy with tiers: whose rate it is. `*`: of all others. */
  readonly ofTier?: string;
  /** The tiers that have rates of their own. */
  readonly otherTiers: readonly string[];
  /** Whether all clients share it. */
  readonly isShared: boolean;
  /** A policy file with nothing but this limit, with so many units instead. */
  withUnits(units: number): Config;
}

/** Every rate of a policy file. Not those of schedules, and no places. */
export function variedLimits({
  perClient,
  global,
  methods = {},
  tools = {},
  policies = [],
  tier,
}: Config): readonly VariedLimit[] {
  const base: Config = tier === undefined ? {} : { tier };
  const found: VariedLimit[] = [];

  function add(
    limit: string,
    given: LimitConfig | undefined,
    isShared: boolean,
    into: (one: LimitConfig) => Config,
  ): void {
    for (const rate of ratesOf(given)) {
      const rest = typeof given === "object" && !Array.isArray(given) ? given : {};
      const { concurrency: _, lease: __, ...full } = rest as Exclude<LimitConfig, string | readonly string[]>;
      found.push({
        limit,
        rate,
        otherTiers: [],
        isShared: isShared || full.per === "everyone",
        withUnits: (units) => ({ ...base, ...into({ ...full, quota: withUnits(rate, units) }) }),
      });
    }
  }

  add("perClient", perClient, false, (one) => ({ perClient: one }));
  add("global", global, true, (one) => ({ global: one }));
  for (const [name, given] of Object.entries(methods))
    add(`methods.${name}`, given, false, (one) => ({ methods: { [name]: one } }));
  for (const [name, given] of Object.entries(tools)) {
    if (name !== "*") add(`tools.${name}`, given, false, (one) => ({ tools: { [name]: one } }));
    else add("tools.*", given, false, (one) => ({ policies: [allOthers(one, Object.keys(tools))] }));
  }
  for (const policy of policies) found.push(...ofPolicy(policy, base));
  return found.filter(({ rate }) => unitsOf(rate) !== undefined);
}

/** The limit of all tools that have none of their own, by itself. */
function allOthers(limit: LimitConfig, tools: readonly string[]): PolicyConfig {
  const { per, ...rest } = limit as Exclude<LimitConfig, string | readonly string[]>;
  const named = tools.filter((tool) => tool !== "*");
  return {
    ...rest,
    name: "others",
    match: { method: "tools/call", ...(named.length > 0 && { not: { tool: named } }) },
    ...(per === "everyone" && { key: "everyone" }),
  };
}

function ofPolicy(policy: PolicyConfig, base: Config): readonly VariedLimit[] {
  const {
    quota,
    tiers,
    schedule: _,
    concurrency: __,
    lease: ___,
    adapt: ____,
    mode: _____,
    wait: ______,
    ...rest
  } = policy;
  const { key = "client" } = policy;
  const parts = [key].flat();
  const isShared = !parts.includes("client") && !parts.includes("address");
  const varied = (rate: string, ofTier?: string): VariedLimit => ({
    limit: policy.name,
    rate,
    ...(ofTier !== undefined && { ofTier }),
    otherTiers: Object.keys(tiers ?? {}).filter((one) => one !== ofTier),
    isShared,
    withUnits: (units) => ({ ...base, policies: [{ ...rest, quota: withUnits(rate, units) }] }),
  });
  return [
    ...ratesOf(quota).map((rate) => varied(rate)),
    ...Object.entries(tiers ?? {}).flatMap(([name, rates]) => ratesOf(rates).map((rate) => varied(rate, name))),
  ];
}

function ratesOf(given: LimitConfig | undefined): readonly string[] {
  if (given === undefined) return [];
  if (typeof given === "string") return [given];
  if (Array.isArray(given)) return given;
  return ratesOf((given as { readonly quota?: string | string[] }).quota);
}

const RATE = /^\s*(\d[\d_]*)(\s*\/\s*[^\s]+)(?:\s+burst\s+(\d[\d_]*))?/;

/** `undefined` for one that is a part of a unit. */
export function unitsOf(rate: string): number | undefined {
  const [, units] = RATE.exec(rate) ?? [];
  return units === undefined ? undefined : Number(units.replaceAll("_", ""));
}

/** The same rate with so many units; a burst keeps its proportion. */
export function withUnits(rate: string, units: number): string {
  const was = unitsOf(rate)!;
  return rate.replace(RATE, (_whole, _units, period: string, burst: string | undefined) => {
    const scaled =
      burst === undefined ? "" : ` burst ${Math.max(1, Math.ceil((Number(burst.replaceAll("_", "")) * units) / was))}`;
    return `${units}${period}${scaled}`;
  });
}
