import type { RefusedToolResult } from "../../answers/mcp.ts";
import type { Origin } from "./call.ts";
import type { McpGate } from "./gate.ts";
import type { JsonRpcRequest } from "./types.ts";

/** One call of a tool, seen from within the server. */
export interface ToolCall {
  readonly tool: string;
  readonly args: unknown;
  readonly origin: Origin;
  /** Aborts when the client cancels the call. */
  readonly signal: AbortSignal | undefined;
}

/**
 * A tool's own result, or the one that says why it was not run.
 *
 * Here, unlike at a transport, it is known when the tool has ended: its places go back then.
 */
export async function runTool<T>(
  gate: McpGate,
  { tool, args, origin, signal }: ToolCall,
  run: () => T,
): Promise<Awaited<T> | RefusedToolResult> {
  const request: JsonRpcRequest = {
    jsonrpc: "2.0",
    id: 0,
    method: "tools/call",
    params: { name: tool, arguments: args },
  };
  const admission = await gate.admit([request], origin, signal);
  if (admission.refusal !== undefined) {
    return (gate.refuse(request, admission.refusal) as { result: RefusedToolResult }).result;
  }
  try {
    const result = await run();
    gate.sawAnswer(request, origin, result);
    return result;
  } catch (error) {
    gate.sawAnswer(request, origin, String(error));
    throw error;
  } finally {
    admission.finish();
  }
}
