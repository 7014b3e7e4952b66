import type { JsonRpcRequest, McpCall, Origin } from "sluice/mcp";
import type { LoggedCall } from "./logged-call.ts";

/** What hashes of whole arguments and results stand under. */
const SAME = "#same";

/** The call as limits look at it: what is not in the log is not there. */
function paramsOf({ method, tool, prompt, resource, args, same }: LoggedCall): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  if (tool !== undefined) params.name = tool;
  if (method === "prompts/get" && prompt !== undefined) params.name = prompt;
  if (resource !== undefined) params.uri = resource;
  if (args !== undefined || same !== undefined) {
    const all: Record<string, unknown> = same === undefined ? {} : { [SAME]: same };
    for (const [path, value] of Object.entries(args ?? {})) put(all, path.split("."), value);
    params.arguments = all;
  }
  return params;
}

function put(into: Record<string, unknown>, [name = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    into[name] = value;
    return;
  }
  const inner = Object.hasOwn(into, name) ? into[name] : undefined;
  const below = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : {};
  Object.defineProperty(into, name, { value: below, enumerable: true, configurable: true, writable: true });
  put(below, rest, value);
}

export function originOf({ client, tier, path, address, session, headers }: LoggedCall): Origin {
  return {
    connection: client,
    ...(tier !== undefined && { authInfo: { extra: { tier } } }),
    ...(path !== undefined && { path }),
    ...(address !== undefined && { address }),
    ...(session !== undefined && { sessionId: session }),
    ...(headers !== undefined && { headers: new Headers(headers) }),
  };
}

let id = 0;

export const requestOf = (call: LoggedCall): JsonRpcRequest => ({
  jsonrpc: "2.0",
  id: ++id,
  method: call.method,
  params: paramsOf(call),
});

/** Calls of which nothing but the tool is known are all alike. */
const alike = new Map<string, McpCall>();
const MOST_ALIKE = 10_000;

/** The call, for gates that are asked for nothing but a decision. */
export function mcpCallOf(call: LoggedCall): McpCall {
  const { method, tool, args, same, path, address, session, headers } = call;
  const isPlain =
    tool !== undefined &&
    args === undefined &&
    same === undefined &&
    path === undefined &&
    address === undefined &&
    session === undefined &&
    headers === undefined &&
    method === "tools/call";
  if (!isPlain) {
    return { ...originOf(call), method, params: paramsOf(call), ...(tool !== undefined && { tool }) };
  }
  let known = alike.get(tool);
  if (known === undefined) {
    known = { method, tool, params: { name: tool } };
    if (alike.size >= MOST_ALIKE) alike.clear();
    alike.set(tool, known);
  }
  return known;
}

/** What the server said, as far as limits look at it. */
export function resultOf({ outcome = "result", errorCode = -32_000, result, sameResult }: LoggedCall): unknown {
  if (outcome === "error") return { code: errorCode, message: "" };
  return {
    ...result,
    ...(sameResult !== undefined && { [SAME]: sameResult }),
    ...(outcome === "tool_error" && { isError: true }),
  };
}
