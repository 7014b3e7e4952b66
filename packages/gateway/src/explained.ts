import { formatDuration } from "sluice";
import type { ExplainedLimit, Explanation, JsonRpcRequest } from "sluice/mcp";

/** Whether a call would pass. */
const isAllowed = ({ blockedUntil, limits }: Explanation): boolean =>
  blockedUntil === undefined && limits.every(({ mode, decision }) => mode === "shadow" || decision.allowed);

/** An explanation for programs. */
export interface ExplanationData extends Omit<Explanation, "limits"> {
  readonly allowed: boolean;
  readonly limits: readonly (Omit<ExplainedLimit, "quota"> & { readonly quota: string; readonly rate: string })[];
}

export function explanationData(explanation: Explanation): ExplanationData {
  const limits = explanation.limits.map(({ quota, ...limit }) => ({ ...limit, quota: quota.name, rate: quota.text }));
  return { allowed: isAllowed(explanation), ...explanation, limits };
}

/** For people. */
export function explanationText(request: JsonRpcRequest, explanation: Explanation): string {
  const { client, tier, limits } = explanation;
  const tool = request.method === "tools/call" ? ` of ${JSON.stringify(request.params?.name)}` : "";
  const head = `${request.method}${tool}`;
  if (limits.length === 0) return `${head} falls under no limit: it always passes.`;
  const who = `client ${client}${tier === undefined ? "" : `, tier ${tier}`}`;
  const { blockedUntil } = explanation;
  if (blockedUntil !== undefined) return `${head} by ${who} is blocked until ${new Date(blockedUntil).toISOString()}.`;
  const verdict = isAllowed(explanation) ? "would pass" : "would be refused";
  return [`${head} by ${who} ${verdict}:`, ...limits.map(lineOf)].join("\n");
}

function lineOf({ mode, key, cost, quota, decision }: ExplainedLimit): string {
  const mark = decision.allowed ? "ok    " : mode === "shadow" ? "shadow" : "over  ";
  const wait = decision.allowed ? "" : `, again in ${formatDuration(decision.retryAfterMs)}`;
  return `  ${mark}  ${quota.name}: ${quota.text}; takes ${cost}, ${decision.remaining} left${wait}; key ${key}`;
}
