import { memoryStore, type Store } from "sluice";
import { createMcpGate, type McpRateLimitOptions } from "sluice/mcp";
import { manualClock } from "sluice/testing";

export interface SceneOptions extends McpRateLimitOptions {
  readonly over?: (store: Store) => Store;
}

/** A gate over memory, whose clock the test moves. */
export function scene({ over = (store) => store, ...options }: SceneOptions) {
  const clock = manualClock();
  const gate = createMcpGate({ store: over(memoryStore({ clock })), ...options });
  let id = 0;

  /** Makes a call: resolves to what ends it, or `undefined` for one that was refused. */
  async function call(tool: string, { client = "somebody", method = "tools/call", signal }: CallOptions = {}) {
    const request = { jsonrpc: "2.0", id: ++id, method, params: { name: tool, arguments: { secret: 1 } } } as const;
    const origin = { connection: client };
    const admission = await gate.admit([request], origin, signal);
    if (admission.refusal !== undefined) return undefined;
    return (result: unknown = {}) => {
      gate.sawAnswer(request, origin, result);
      admission.finish();
    };
  }
  return { clock, gate, call };
}

interface CallOptions {
  readonly client?: string;
  readonly method?: string;
  readonly signal?: AbortSignal;
}
