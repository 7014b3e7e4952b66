import type { McpCall } from "../../policy/call.ts";
import type { HeadersLike, JsonRpcRequest, WireMessage } from "./types.ts";

/** Where a message came from. */
export type Origin = Omit<McpCall, "method" | "tool" | "params">;

/** What a client sends as `params` may be anything: whatever is no object is treated as empty, and left to the server. */
export function callOf({ method, params: given }: JsonRpcRequest, origin: Origin): McpCall {
  const params = typeof given === "object" && given !== null ? given : {};
  const { name } = params;
  return { ...origin, method, params, ...(method === "tools/call" && typeof name === "string" && { tool: name }) };
}

/** A request: it has a method and an id, so it wants an answer. Everything else is never gated. */
export function isRequest(message: WireMessage): message is JsonRpcRequest {
  return typeof message === "object" && message !== null && typeof message.method === "string" && message.id != null;
}

/** `headers` in whichever form the SDK hands them on. */
export function toHeaders(headers: HeadersLike): Headers | undefined {
  if (headers === undefined || headers === null || typeof headers.get === "function") return headers ?? undefined;
  const entries = Object.entries<string | string[] | undefined>(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
  return new Headers(entries);
}
