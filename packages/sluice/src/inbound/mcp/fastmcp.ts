import { clientContext } from "../client-context.ts";
import type { Origin } from "./call.ts";
import { createMcpGate } from "./gate.ts";
import type { McpRateLimitOptions } from "./options.ts";
import type { FastMcpLike, FastMcpTool, JsonRpcRequest, ToolContext } from "./types.ts";

export type FastMcpRateLimitOptions = Pick<
  McpRateLimitOptions,
  "perClient" | "global" | "tools" | "client" | "store" | "name" | "wait" | "describe" | "onDecision"
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
      const request: JsonRpcRequest = {
        jsonrpc: "2.0",
        id: 0,
        method: "tools/call",
        params: { name: tool.name, arguments: args },
      };
      const admission = await gate.admit([request], originOf(context, isStdio), context?.signal);
      if (admission.refusal !== undefined) {
        const { resultType: _, ...result } = (gate.refuse(request, admission.refusal) as { result: FastMcpTool })
          .result;
        return result;
      }
      try {
        return await tool.execute(args, context);
      } finally {
        admission.finish();
      }
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

function originOf({ session, sessionId }: ToolContext, isStdio: boolean): Origin {
  const { clientId, sub, address } = (session ?? {}) as Readonly<Record<string, string | undefined>>;
  return {
    authInfo: { clientId, extra: { sub } },
    address: address ?? clientContext.address(),
    sessionId,
    ...(isStdio && { connection: "connection" }),
  };
}
