import { Mode } from "../../algorithms/algorithm.ts";
import { type Decision, decisionOf } from "../../limiter/decision.ts";
import type { Quota } from "../../limiter/quota.ts";
import { chain } from "../../limiter/reply.ts";
import type { Awaitable, Store } from "../../limiter/store.ts";
import type { Rule } from "../../policy/rule.ts";
import type { Applied } from "./admission.ts";

/** What a call falls under, and what would become of it now. */
export interface Explanation {
  /** The client's key; `undefined`: the call falls under no limit. */
  readonly client?: string;
  readonly tier?: string | undefined;
  /** Until when an operator lets nothing of this client pass, in milliseconds since 1970. @default it passes */
  readonly blockedUntil?: number;
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
  /** What the quota says by itself. Nothing is taken. */
  readonly decision: Decision;
}

export function explain(store: Store, applied: Applied | undefined): Awaitable<Explanation> {
  if (applied === undefined) return { limits: [] };
  const { call, client, tier, rules } = applied;
  const claims = rules.flatMap((rule) => rule.claims(call, { client, tier }));
  const [blockedUntil] = rules
    .filter(({ mode }) => mode === "enforce")
    .flatMap((rule) => rule.blockedUntil({ client, tier }) ?? []);
  const whole = (limits: readonly ExplainedLimit[]): Explanation => ({
    client,
    tier,
    ...(blockedUntil !== undefined && { blockedUntil }),
    limits,
  });
  if (claims.length === 0) return whole([]);
  const taken = store.take(
    claims.map(({ demand }) => demand),
    { mode: Mode.peek },
  );
  return chain(taken, (answers) =>
    whole(
      claims.map(({ rule: { name: policy, subject, mode, per }, quota, demand: { key, cost } }, i) => {
        return { policy, subject, mode, per, key, cost, quota, decision: decisionOf(quota, answers[i]!) };
      }),
    ),
  );
}

/** Forgets what a call was charged so far: all that it falls under is as good as new. Resolves to what was reset. */
export function forget(store: Store, applied: Applied | undefined): Awaitable<readonly ForgottenLimit[]> {
  if (applied === undefined) return [];
  const { call, client, tier, rules } = applied;
  const claims = rules.flatMap((rule) => rule.claims(call, { client, tier }));
  return chain(store.forget(claims.map(({ demand: { ledger, key } }) => ({ ledger, key }))), () =>
    claims.map(({ rule: { name: policy, subject }, quota, demand: { key } }) => ({ policy, subject, quota, key })),
  );
}

export type ForgottenLimit = Pick<ExplainedLimit, "policy" | "subject" | "quota" | "key">;
