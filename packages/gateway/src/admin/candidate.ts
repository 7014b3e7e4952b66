import type { KnownLimit } from "sluice/mcp";
import { stringify } from "yaml";
import { readConfig } from "../config/read-config.ts";
import type { Config, LimitConfig, PolicyConfig } from "../config/schema.ts";

/** A policy to be tried: its name, and how it stands in a policy file. */
export interface Candidate {
  readonly name: string;
  readonly yaml: string;
}

/**
 * Another amount for a limit, as a policy on trial beside it: it meets the same calls, has the same keys and costs, and refuses nothing.
 *
 * @throws RangeError for an amount that cannot be
 */
export function candidateOf(config: Config, { policy, per, quota }: KnownLimit, limit: number): Candidate {
  const taken = new Set(config.policies?.map(({ name }) => name));
  const slug = policy
    .toLowerCase()
    .replaceAll("*", "other")
    .replaceAll(/[^a-z0-9_.-]/g, "-");
  const wanted = `try-${slug}-${limit}`;
  const name = taken.has(wanted) ? `${wanted}-again` : wanted;
  const tried = { name, ...likeness(config, policy, per), quota: rateOf(quota, limit), mode: "shadow" };
  const yaml = stringify({ policies: [tried] });
  try {
    readConfig(yaml, name, {});
  } catch (cause) {
    throw new RangeError(`There is no such limit as ${limit} of ${policy}.`, { cause });
  }
  return { name, yaml };
}

type Likeness = Partial<Pick<PolicyConfig, "match" | "key" | "cost" | "settle">>;

/** Which calls, whose key, at what cost. */
function likeness(config: Config, policy: string, per: KnownLimit["per"]): Likeness {
  const own = config.policies?.find(({ name }) => name === policy);
  if (own !== undefined) return given({ match: own.match, key: own.key, cost: own.cost, settle: own.settle });
  const key = per === "everyone" ? ({ key: "everyone" } as const) : {};
  // Several limits in one place are called tools.search, tools.search.2, …
  const [, place = policy, nth = "1"] = /^(.*?)(?:\.(\d+))?$/s.exec(policy) ?? [];
  const [kind = "", name = ""] = place.split(/\.(.*)/s);
  const among = { tools: config.tools, methods: config.methods }[kind]?.[name];
  const limit = limitAt(
    kind === "perClient" ? config.perClient : kind === "global" ? config.global : among,
    Number(nth),
  );
  return { ...key, ...given({ match: matchOf(config, kind, name), cost: limit?.cost, settle: limit?.settle }) };
}

function matchOf({ tools = {} }: Config, kind: string, name: string): Likeness["match"] {
  if (kind === "methods") return { method: name };
  if (kind !== "tools") return undefined;
  if (name !== "*") return { tool: name };
  const named = Object.keys(tools).filter((tool) => tool !== "*");
  return { method: "tools/call", ...(named.length > 0 && { not: { tool: named } }) };
}

function limitAt(limit: LimitConfig | undefined, nth: number): Likeness | undefined {
  const one = [limit].flat()[nth - 1];
  return typeof one === "object" ? one : undefined;
}

const PERIODS = [
  [86_400_000, "day"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
  [1, "ms"],
] as const;

/** `40/min`, `40/10s`, `40/day UTC`. What is a bucket is tried as a window: so many in the time in which it fills. */
function rateOf({ text, periodMs }: KnownLimit["quota"], limit: number): string {
  const [, unit, timeZone] = / per calendar (\w+) \((.+)\)$/.exec(text) ?? [];
  if (unit !== undefined) return `${limit}/${unit} ${timeZone}`;
  const [size, name] = PERIODS.find(([one]) => periodMs % one === 0) ?? [1, "ms"];
  const times = Math.round(periodMs / size);
  return `${limit}/${times === 1 ? "" : times}${name}`;
}

/** Without what is not there. */
const given = (parts: { readonly [Name in keyof Likeness]?: Likeness[Name] | undefined }): Likeness =>
  Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
