import { clientContext } from "../client-context.ts";
import type { Origin } from "./call.ts";
import { createMcpGate } from "./gate.ts";
import type { McpRateLimitOptions } from "./options.ts";
import { runTool } from "./run-tool.ts";
import type { FastMcpLike, FastMcpTool, ToolContext } from "./types.ts";

export type FastMcpRateLimitOptions = Pick<
  McpRateLimitOptions,
  | "perClient"
  | "global"
  | "tools"
  | "policies"
  | "tier"
  | "client"
  | "store"
  | "name"
  | "wait"
  | "describe"
  | "onDecision"
  | "onWaiting"
  | "onResult"
  | "onCall"
  | "onAdapt"
>;

/**
 * The same FastMCP server, whose tools are limited, whenever they are added from now on.
 *
 * The client is what `authenticate` returned, if that has a `clientId` or a `sub`; over stdio, the
 * connection; else the `address` that `authenticate` returned. FastMCP shows nothing else of a caller.
 *
 * @example
 * const server = rateLimit(new FastMCP({ name: "demo", version: "1.0.0" }), { tools: { "*": "10/min" } });
 */
export function rateLimit<S extends FastMcpLike>(server: S, options: FastMcpRateLimitOptions): S {
  const gate = createMcpGate(options);
  let isStdio = false;

  const limited = (tool: FastMcpTool) => ({
    ...tool,
    async execute(args: unknown, context: ToolContext) {
      const call = { tool: tool.name, args, origin: originOf(context, isStdio), signal: context?.signal };
      return withoutResultType(await runTool(gate, call, () => tool.execute(args, context)));
    },
  });

  const { addTool, start } = server;
  server.addTool = (tool) => addTool.call(server, limited(tool));
  // FastMCP's own addTools calls addTool for each tool in some versions and not in others.
  server.addTools = (tools) => {
    for (const tool of tools) server.addTool(tool);
  };
  server.start = (given) => {
    isStdio = (given?.transportType ?? "stdio") === "stdio";
    return start.call(server, given);
  };
  return server;
}

/** FastMCP accepts no other fields than its own, and its SDK speaks the era that has no `resultType`. */
function withoutResultType(result: FastMcpTool): FastMcpTool {
  if (result?.resultType === undefined) return result;
  const { resultType: _, ...rest } = result;
  return rest;
}

function originOf({ session, sessionId }: ToolContext, isStdio: boolean): Origin {
  const { clientId, sub, address } = (session ?? {}) as Readonly<Record<string, string | undefined>>;
  return {
    authInfo: { clientId, extra: { sub } },
    address: address ?? clientContext.address(),
    sessionId,
    ...(isStdio && { connection: "connection" }),
  };
}
