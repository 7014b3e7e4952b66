import type { McpCall } from "../../policy/call.ts";

/** Says whose limits a call falls under. Return `undefined` to let the call through uncharged. */
export type ClientOf = (call: McpCall) => string | undefined | PromiseLike<string | undefined>;

let hasWarnedOfAddress = false;
let hasWarnedOfNobody = false;

/**
 * The client of a call: the verified principal (OAuth client and subject), else the connection (stdio),
 * else the address. Where none is known, all such calls share one key: a warning says so, once.
 *
 * Never `clientInfo` nor the session: a client makes them up, and would be a new client at will.
 */
export function clientOf({ authInfo, connection, address }: McpCall): string {
  const { sub: subject } = authInfo?.extra ?? {};
  if (authInfo?.clientId) return partsOf("principal", authInfo.clientId, typeof subject === "string" ? subject : "");
  if (typeof subject === "string" && subject !== "") return partsOf("principal", "", subject);
  if (connection !== undefined) return connection;
  if (address !== undefined) {
    if (!hasWarnedOfAddress) {
      hasWarnedOfAddress = true;
      console.warn(
        "sluice: MCP calls without a verified principal are limited by client address. Pass `client` to choose a key.",
      );
    }
    return partsOf("address", address);
  }
  if (!hasWarnedOfNobody) {
    hasWarnedOfNobody = true;
    console.warn(
      "sluice: an MCP call over HTTP has neither a verified principal nor a known address, so all such clients share " +
        "one limit. Wrap the HTTP listener with `withClientAddress` from sluice/node, or pass `client`.",
    );
  }
  return "unknown";
}

/** Parts of a key, each with its length in front, so that no two lists of parts give one key. */
function partsOf(kind: string, ...parts: readonly string[]): string {
  return kind + parts.map((part) => `:${part.length}:${part}`).join("");
}
