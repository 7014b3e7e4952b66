import { formatDuration } from "sluice";
import type { ExplainedLimit, Explanation, JsonRpcRequest, McpGate } from "sluice/mcp";
import { refusalWords } from "./refusal-words.ts";

/** An explanation for programs. */
export interface ExplanationData extends Omit<Explanation, "limits" | "refusal"> {
  /** Whether it would pass at once. */
  readonly allowed: boolean;
  /** What the model would be told, if it would be refused at once. */
  readonly text?: string;
  readonly limits: readonly (Omit<ExplainedLimit, "quota"> & { readonly quota: string; readonly rate: string })[];
}

export function explanationData(gate: McpGate, request: JsonRpcRequest, explanation: Explanation): ExplanationData {
  const { refusal, ...rest } = explanation;
  const limits = rest.limits.map(({ quota, ...limit }) => ({ ...limit, quota: quota.name, rate: quota.text }));
  const text = wordsOf(gate, request, explanation);
  return { allowed: refusal === undefined, ...(text !== undefined && { text }), ...rest, limits };
}

/** For people. */
export function explanationText(gate: McpGate, request: JsonRpcRequest, explanation: Explanation): string {
  const { client, tier, limits, blockedUntil } = explanation;
  const tool = request.method === "tools/call" ? ` of ${JSON.stringify(request.params?.name)}` : "";
  const head = `${request.method}${tool}`;
  if (limits.length === 0) return `${head} falls under no limit: it always passes.`;
  const who = `client ${client}${tier === undefined ? "" : `, tier ${tier}`}`;
  const words = wordsOf(gate, request, explanation);
  const told = words === undefined ? [] : [`The model would be told: ${words}`];
  if (blockedUntil !== undefined) {
    return [`${head} by ${who} is blocked until ${new Date(blockedUntil).toISOString()}.`, ...told].join("\n");
  }
  return [`${head} by ${who} ${verdictOf(explanation)}:`, ...limits.map(lineOf), ...told].join("\n");
}

function verdictOf({ refusal, waits = false }: Explanation): string {
  if (refusal === undefined) return "would pass";
  return waits ? "would stand in line" : "would be refused";
}

function wordsOf(gate: McpGate, request: JsonRpcRequest, { refusal, waits = false }: Explanation): string | undefined {
  return refusal === undefined || waits ? undefined : refusalWords(gate, request, refusal);
}

const againText = (ms: number): string => (ms === Infinity ? "never enough" : `again in ${formatDuration(ms)}`);

function lineOf({ mode, key, cost, quota, decision }: ExplainedLimit): string {
  const mark = decision.allowed ? "ok    " : mode === "shadow" ? "shadow" : "over  ";
  const isOnTrial = mode === "shadow" ? " (on trial)" : "";
  const wait = decision.allowed ? "" : `, ${againText(decision.retryAfterMs)}`;
  return `  ${mark}  ${quota.name}${isOnTrial}: ${quota.text}; takes ${cost}, ${decision.remaining} left${wait}; key ${key}`;
}
