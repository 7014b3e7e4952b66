import type { IncomingHttpHeaders } from "node:http";

/** What the headers of a request say about its message, and the body does not. */
export interface Mismatch {
  readonly header: string;
  readonly said: string;
  readonly is: string;
}

/** From this revision on a client repeats method and name in headers, and whoever reads the body has to compare them. */
const FIRST_WITH_HEADERS = "2026-07-28";

/** Where the name of what is called stands, by method. */
const NAMES: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};

/**
 * Whether the routing headers contradict the body (`Mcp-Method`, `Mcp-Name`; MCP 2026-07-28, transports): something on
 * the way may have gone by the one, and the server would go by the other. Headers that are missing are the server's business.
 */
export function headerMismatch(headers: IncomingHttpHeaders, message: unknown): Mismatch | undefined {
  const version = headers["mcp-protocol-version"];
  if (typeof version !== "string" || version < FIRST_WITH_HEADERS) return undefined;
  const { method, params } = (message ?? {}) as { method?: unknown; params?: Record<string, unknown> };
  if (typeof method !== "string") return undefined;
  const saidMethod = headers["mcp-method"];
  if (saidMethod !== undefined && saidMethod !== method) {
    return { header: "Mcp-Method", said: String(saidMethod), is: method };
  }
  const field = Object.hasOwn(NAMES, method) ? NAMES[method]! : method.startsWith("tasks/") ? "taskId" : undefined;
  const saidName = headers["mcp-name"];
  if (field === undefined || saidName === undefined) return undefined;
  const name = typeof params === "object" && params !== null ? params[field] : undefined;
  const said = plain(String(saidName));
  return typeof name === "string" && said !== name ? { header: "Mcp-Name", said, is: name } : undefined;
}

/** What no header can hold is written as `=?base64?…?=`. */
function plain(value: string): string {
  const [, encoded] = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value) ?? [];
  return encoded === undefined ? value : Buffer.from(encoded, "base64").toString("utf8");
}
