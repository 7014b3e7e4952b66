import { shown } from "../algorithms/numbers.ts";
import type { QuotaLike } from "../limiter/rate.ts";
import type { Store } from "../limiter/store.ts";
import type { AdaptOptions } from "./adapt.ts";
import type { Cost } from "./cost.ts";
import { isPerClient, keyOf, type PolicyKey } from "./key.ts";
import { type Match, matching } from "./match.ts";
import { type Rule, type RuleOptions, ruleOf } from "./rule.ts";
import type { ScheduledQuota } from "./schedule.ts";
import type { Settle } from "./settle.ts";
import { maxWaitOf, type Wait } from "./wait.ts";

/** Which calls, whose key, how much, at what cost. All policies that match one call are decided together. */
export interface Policy {
  /** Lower-case letters, digits and `_ . -`, beginning with a letter. Stands in answers and events; policies with one name share a limit. */
  readonly name: string;
  /** @default all requests but `initialize`, lists and subscriptions */
  readonly match?: Match;
  /** Whose limit it is. @default "client" */
  readonly key?: PolicyKey;
  /** How much in which time: one quota or several. */
  readonly quota?: QuotaLike | readonly QuotaLike[];
  /** Quotas for each tier, and for `"*"`: all other callers. What was used stays used when a caller changes tiers. */
  readonly tiers?: Readonly<Record<string, QuotaLike | readonly QuotaLike[]>>;
  /** Other quotas at certain times, instead of `quota`: at night, at weekends. The first one that it is counts. */
  readonly schedule?: readonly ScheduledQuota[];
  /** At most so many at once. */
  readonly concurrency?: number;
  /**
   * Lower the limit while the server is slow or fails, and raise it again step by step (AIMD): calls cost more for a while, and there
   * are fewer places. What this process hears of the server counts. `true`: failures alone.
   *
   * @default false
   */
  readonly adapt?: boolean | AdaptOptions;
  /** A place that is not given back is free after this long; it is renewed while the call runs. @default 60_000 */
  readonly leaseMs?: number;
  /** Units that a call takes of the quotas. @default 1 */
  readonly cost?: Cost;
  /** What a call really cost, by its result: corrects what `cost` charged when it began. @default what it charged */
  readonly settle?: Settle;
  /**
   * `"shadow"` decides, counts and tells listeners beside the enforced ones, with a state of its own, and never changes
   * an answer: for trying a limit before it bites. It is charged by what the enforced ones let through.
   *
   * @default "enforce"
   */
  readonly mode?: "enforce" | "shadow";
  /** Whether a call stands in line before it is refused. Under several limits it waits as long as all of them allow. @default what the gate says */
  readonly wait?: Wait;
  /** What is limited, in words for the one who is refused. @default the tool, or the name of the policy */
  readonly subject?: string;
  /** Ends the text of a refusal by this policy: whom to ask for more, what to do instead. */
  readonly advice?: string;
}

/** What holds for all policies of a server. */
interface Shared extends Pick<RuleOptions, "whenChanged" | "overrides"> {
  readonly onAdapt?: ((policy: string, level: number) => void) | undefined;
}

const FIELDS = [
  "name",
  "match",
  "key",
  "quota",
  "tiers",
  "schedule",
  "concurrency",
  "adapt",
  "leaseMs",
  "cost",
  "settle",
  "mode",
  "wait",
  "subject",
  "advice",
];
const NAME = /^[a-z][a-z0-9_.-]*$/;

/** @throws RangeError, TypeError for policies that cannot be, naming which. */
export function rulesOfPolicies(
  policies: readonly Policy[],
  store: Store,
  name: string,
  shared: Shared = {},
): readonly Rule[] {
  if (!Array.isArray(policies)) throw new TypeError(`policies is a list, but it is ${shown(policies)}.`);
  const seen = new Set<string>();
  return policies.map((policy, i) => {
    try {
      const rule = ruleOfPolicy(policy, store, name, shared);
      if (seen.has(policy.name)) throw new RangeError("there are two of that name.");
      seen.add(policy.name);
      return rule;
    } catch (cause) {
      const which = typeof policy?.name === "string" ? `The policy "${policy.name}"` : `Policy ${i + 1}`;
      throw new RangeError(`${which}: ${(cause as Error).message}`, { cause });
    }
  });
}

function ruleOfPolicy(policy: Policy, store: Store, prefix: string, shared: Shared): Rule {
  if (typeof policy !== "object" || policy === null) throw new TypeError(`it is ${shown(policy)}, not an object.`);
  const unknown = Object.keys(policy).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw new TypeError(`it has no field ${shown(unknown)}: it knows ${FIELDS.join(", ")}.`);
  const { name, match, key, mode = "enforce", subject = subjectOf(policy) } = policy;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new TypeError(
      `its name begins with a lower-case letter, followed by lower-case letters, digits, "_", "." or "-", but it is ${shown(name)}.`,
    );
  }
  if (mode !== "enforce" && mode !== "shadow") {
    throw new TypeError(`its mode is "enforce" or "shadow", but it is ${shown(mode)}.`);
  }
  return ruleOf({
    ...policy,
    // A shadow has a state of its own, so that a limit that is tried beside the one in force starts as it would.
    name: `${prefix}/policies/${mode === "shadow" ? "shadow/" : ""}${name}`,
    where: name,
    subject,
    per: isPerClient(key) ? "client" : "everyone",
    mode,
    matches: matching(match),
    tools: namedTools(match),
    keyOf: keyOf(key),
    store,
    whenChanged: shared.whenChanged,
    overrides: shared.overrides,
    onAdapt: (level) => shared.onAdapt?.(name, level),
    ...(policy.advice !== undefined && { advice: adviceOf(policy.advice) }),
    ...(policy.wait !== undefined && { maxWaitMs: maxWaitOf(policy.wait) }),
  });
}

function adviceOf(advice: unknown): string {
  if (typeof advice === "string" && advice !== "") return advice;
  throw new TypeError(`its advice is a text that is not empty, but it is ${shown(advice)}.`);
}

/** The tools of a policy that names them in full. */
function namedTools(match: Match | undefined): readonly string[] | undefined {
  const tools = match?.tool === undefined ? [] : [match.tool].flat();
  return tools.length === 0 || tools.some((tool) => tool.includes("*")) ? undefined : tools;
}

function subjectOf({ name, match }: Policy): string {
  const tool = match?.tool;
  return typeof tool === "string" && !tool.includes("*") ? `the tool "${tool}"` : `what the policy "${name}" covers`;
}
