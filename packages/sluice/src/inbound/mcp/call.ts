import type { AuthInfoLike, HeadersLike, JsonRpcRequest, WireMessage } from "./types.ts";

/** A request that a client makes of a server, and what is known about who makes it. */
export interface McpCall {
  /** Such as `"tools/call"`. */
  readonly method: string;
  /** Name of the tool, of a `tools/call`. */
  readonly tool?: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** What a verified token says. Never set from anything that the client can make up. */
  readonly authInfo?: AuthInfoLike | undefined;
  /** Headers of the HTTP request. The client chooses them: verify before you key on one. */
  readonly headers?: Headers | undefined;
  /** The client's address as a key, where it is known: see `withClientAddress`. */
  readonly address?: string | undefined;
  /** Session of a 2025 client. A client can open as many as it likes: never a key by itself. */
  readonly sessionId?: string | undefined;
  /** Names the connection where one connection is one client: stdio, and transports in memory. */
  readonly connection?: string | undefined;
}

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
