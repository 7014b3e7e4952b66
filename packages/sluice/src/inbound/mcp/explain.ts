import { Mode } from "../../algorithms/algorithm.ts";
import type { Refusal } from "../../answers/text.ts";
import { systemClock } from "../../limiter/clock.ts";
import { type Decision, decisionOf } from "../../limiter/decision.ts";
import type { Quota } from "../../limiter/quota.ts";
import { chain } from "../../limiter/reply.ts";
import type { Awaitable, Store } from "../../limiter/store.ts";
import type { Rule, RuleClaim } from "../../policy/rule.ts";
import { type Applied, claimsOf, refusalOf } from "./admission.ts";
import { blockedBy } from "./blocked.ts";
import { inMode, ruleByRule } from "./shadow.ts";

/** What a call falls under, and what would become of it now. */
export interface Explanation {
  /** The client's key; `undefined`: the call falls under no limit. */
  readonly client?: string;
  readonly tier?: string | undefined;
  /** Until when an operator lets nothing of this client pass, in milliseconds since 1970. @default it passes */
  readonly blockedUntil?: number;
  /** What would refuse it. @default it would pass */
  readonly refusal?: Refusal;
  /** Whether it would stand in line first, and not be refused at once. @default false */
  readonly waits?: boolean;
  /** Every quota that it would be charged to, or would be on trial. */
  readonly limits: readonly ExplainedLimit[];
}

export interface ExplainedLimit {
  /** The name of the policy, or of the limit (`"perClient"`, `"tools.search"`). */
  readonly policy: string;
  readonly subject: string;
  readonly mode: Rule["mode"];
  readonly per: Rule["per"];
  /** What is charged. */
  readonly key: string;
  readonly cost: number;
  readonly quota: Quota;
  /** What the quota says: with all that are in force, or on trial by itself. Nothing is taken. */
  readonly decision: Decision;
}

export interface ExplainOptions {
  readonly store: Store;
  /** Limits on trial are asked all together, as if they were in force; else each by itself. */
  readonly areTriedTogether: boolean;
  /** Whether calls that are refused so stand in line first. */
  waits(list: readonly Applied[], refusal: Refusal): boolean;
}

export function explain(options: ExplainOptions, applied: Applied | undefined): Awaitable<Explanation> {
  if (applied === undefined) return { limits: [] };
  const { store, areTriedTogether, waits } = options;
  const { client, tier } = applied;
  const enforced = inMode([applied], "enforce");
  const onTrial = inMode([applied], "shadow");
  const trials = areTriedTogether ? [onTrial] : ruleByRule(onTrial);
  return chain(peekEach(store, [enforced, ...trials].map(claimsOf)), ([first, ...rest]) => {
    const refusal = blockedBy(enforced, store.clock ?? systemClock)?.refusal ?? refusalIn(first!);
    return {
      client,
      tier,
      ...(refusal?.isBlock === true && { blockedUntil: blockedUntil(enforced) }),
      ...(refusal !== undefined && { refusal }),
      ...(refusal !== undefined && waits(enforced, refusal) && { waits: true }),
      limits: [first!, ...rest].flatMap(({ claims, decisions }) =>
        claims.map((claim, i) => explained(claim, decisions[i]!)),
      ),
    };
  });
}

/** Claims that are asked together, and what each quota says. */
interface Answered {
  readonly claims: readonly RuleClaim[];
  readonly decisions: readonly Decision[];
}

function peekEach(store: Store, groups: readonly (readonly RuleClaim[])[]): Awaitable<readonly Answered[]> {
  return groups.reduce<Awaitable<readonly Answered[]>>(
    (before, claims) =>
      chain(before, (list) => chain(peek(store, claims), (decisions) => [...list, { claims, decisions }])),
    [],
  );
}

function peek(store: Store, claims: readonly RuleClaim[]): Awaitable<readonly Decision[]> {
  if (claims.length === 0) return [];
  const demands = claims.map(({ demand }) => demand);
  return chain(store.take(demands, { mode: Mode.peek }), (answers) =>
    answers.map((one, i) => decisionOf(claims[i]!.quota, one)),
  );
}

const refusalIn = ({ claims, decisions }: Answered): Refusal | undefined =>
  decisions.every(({ allowed }) => allowed) ? undefined : refusalOf(claims, decisions);

/** Until when one of its rules lets nothing of the client pass. */
const blockedUntil = (list: readonly Applied[]): number =>
  list.flatMap((one) => one.rules.flatMap((rule) => rule.blockedUntil(one) ?? []))[0]!;

const explained = ({ rule, quota, demand: { key, cost } }: RuleClaim, decision: Decision): ExplainedLimit => {
  const { name: policy, subject, mode, per } = rule;
  return { policy, subject, mode, per, key, cost, quota, decision };
};

/** Forgets what a call was charged so far: all that it falls under is as good as new. Resolves to what was reset. */
export function forget(store: Store, applied: Applied | undefined): Awaitable<readonly ForgottenLimit[]> {
  if (applied === undefined) return [];
  const claims = claimsOf([applied]);
  return chain(store.forget(claims.map(({ demand: { ledger, key } }) => ({ ledger, key }))), () =>
    claims.map(({ rule: { name: policy, subject }, quota, demand: { key } }) => ({ policy, subject, quota, key })),
  );
}

export type ForgottenLimit = Pick<ExplainedLimit, "policy" | "subject" | "quota" | "key">;
