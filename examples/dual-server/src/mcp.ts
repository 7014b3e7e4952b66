import type { RequestListener } from "node:http";
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { limitFetch, type McpDecisionEvent, type McpRateLimitOptions } from "sluice/mcp";
import { withClientAddress } from "sluice/node";
import { createToolServer } from "./tools.ts";

/** Serves the tools over Streamable HTTP, to clients of both eras of the protocol. */
export function mcpRoute(options: McpRateLimitOptions, onError: (error: Error) => void): RequestListener {
  const handler = createMcpHandler(() => createToolServer(), { onerror: onError });
  const listener: RequestListener = withClientAddress(
    toNodeHandler({ fetch: limitFetch(handler.fetch, options) }, { onerror: onError }),
  );
  const isLocalHost = localhostHostValidation();
  const isLocalOrigin = localhostOriginValidation();
  return (request, response) => {
    // Against DNS rebinding: pages of other sites must not reach a server on this machine.
    if (isLocalHost(request, response) && isLocalOrigin(request, response)) void listener(request, response);
  };
}

/** What a call is called in the log: never its arguments. */
export function nameOf({ call }: McpDecisionEvent): string {
  return call.tool === undefined ? call.method : `${call.method} ${JSON.stringify(call.tool.slice(0, 64))}`;
}
