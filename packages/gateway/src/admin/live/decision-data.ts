import type { JsonRpcRequest, KnownLimit, QuotaDecision, Refusal } from "sluice/mcp";
import { refusalWords } from "../../refusal-words.ts";
import type { LoggedDecision } from "./decision-log.ts";

/** Of what the keys of a limit are made, part by part. */
export type KeyPartsOf = (limit: Pick<KnownLimit, "policy" | "per">) => readonly string[];

/** A decision for programs and the live page. */
export interface DecisionData
  extends Pick<LoggedDecision, "id" | "at" | "client" | "tier" | "mode" | "method" | "tool" | "waitedMs"> {
  readonly allowed: boolean;
  /** The quota that matters most. */
  readonly quota: string;
  readonly retryAfterMs: number;
  readonly degraded: boolean;
  readonly decisions: readonly QuotaData[];
  /** Of a refusal: what the model saw. */
  readonly text?: string;
  readonly loop?: Refusal["loop"];
  /** An operator lets nothing of this client pass. */
  readonly isBlock?: boolean;
  /** The client was asked to come again with a ticket, and the model saw nothing. */
  readonly isToComeAgain?: boolean;
}

/** What one quota said of a call. */
interface QuotaData {
  /** The policy or limit that has the quota, as overrides name it: `tools.search`. */
  readonly policy: string;
  readonly quota: string;
  readonly rate: string;
  /** What is charged. */
  readonly key: string;
  readonly subject?: string;
  /** Of what the key is made. */
  readonly keyParts?: readonly string[];
  readonly cost: number;
  readonly limit: number;
  /** What was left before the call, and after it. */
  readonly before: number;
  readonly remaining: number;
  readonly allowed: boolean;
  readonly resetAfterMs: number;
  readonly retryAfterMs: number;
}

/** What was asked of each quota, what it had before and after, and what the model saw. */
export function decisionData(logged: LoggedDecision, keyPartsOf: KeyPartsOf): DecisionData {
  const { decision, decisions, refusal, gate, ...about } = logged;
  const { allowed, quota, retryAfterMs, degraded } = decision;
  return {
    ...about,
    allowed,
    quota,
    retryAfterMs,
    degraded,
    decisions: decisions.map((one) => quotaData(one, logged, keyPartsOf)),
    ...(refusal !== undefined && {
      text: refusalWords(gate, requestOf(about), refusal),
      ...(refusal.loop !== undefined && { loop: refusal.loop }),
      ...(refusal.isBlock === true && { isBlock: true }),
      ...(refusal.ticket !== undefined && { isToComeAgain: true }),
    }),
  };
}

function quotaData(
  { policy, quota, key, cost, decision }: QuotaDecision,
  { gate, mode, decision: { allowed: isCharged } }: LoggedDecision,
  keyPartsOf: KeyPartsOf,
): QuotaData {
  const { limit, remaining, allowed, resetAfterMs, retryAfterMs } = decision;
  const known = gate.limits.find((one) => one.policy === policy && one.mode === mode);
  return {
    policy,
    quota: quota.name,
    rate: quota.text,
    key,
    ...(known !== undefined && { subject: known.subject, keyParts: keyPartsOf(known) }),
    cost,
    limit,
    // A call that is refused is charged nothing, by none of them.
    before: isCharged ? Math.min(limit, remaining + cost) : remaining,
    remaining,
    allowed,
    resetAfterMs,
    retryAfterMs,
  };
}

/** What was asked, but for its arguments. */
const requestOf = ({ method, tool }: Pick<LoggedDecision, "method" | "tool">): JsonRpcRequest => {
  return { jsonrpc: "2.0", id: 0, method, params: tool === undefined ? {} : { name: tool } };
};
