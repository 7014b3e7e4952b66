import type { JsonRpcRequest, McpGate, Refusal } from "sluice/mcp";

/** What a model sees of a refusal. */
export function refusalWords(gate: McpGate, request: JsonRpcRequest, refusal: Refusal): string {
  const { result, error } = gate.refuse(request, refusal) as {
    result?: { content: readonly { text: string }[] };
    error?: { message: string };
  };
  return result?.content[0]?.text ?? error?.message ?? "";
}
