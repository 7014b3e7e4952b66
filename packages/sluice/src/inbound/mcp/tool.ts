import { clientContext } from "../client-context.ts";
import { type Origin, toHeaders } from "./call.ts";
import { createMcpGate } from "./gate.ts";
import type { LimitLike } from "./limits.ts";
import type { McpRateLimitOptions } from "./options.ts";
import { runTool } from "./run-tool.ts";
import type { ToolCallback, ToolContext } from "./types.ts";

export interface LimitToolOptions
  extends Pick<
    McpRateLimitOptions,
    "client" | "store" | "name" | "wait" | "describe" | "onDecision" | "onWaiting" | "onResult" | "onCall"
  > {
  /** Name of the tool, for answers and for telling its limit from others. */
  readonly tool: string;
  /** `"3/10s"`, a quota, or a limit in full. */
  readonly limit: LimitLike;
}

/**
 * A tool's callback that is limited: over the limit it returns a result that tells the model what to do.
 *
 * For one tool of an SDK server of either generation. A tool that asks its client for input is charged
 * once for each request on the wire, however often the SDK runs the callback for it; a place of a
 * `concurrency` limit is held during the first run.
 *
 * @example
 * server.registerTool("search", config, limitTool({ tool: "search", limit: "10/min" }, async ({ query }) => ...));
 */
export function limitTool<C extends ToolCallback>({ tool, limit, ...options }: LimitToolOptions, callback: C): C {
  const gate = createMcpGate({ ...options, tools: { [tool]: limit } });
  /** Signals of requests that were admitted: the SDK gives each run of one request the same signal, and a client cannot. */
  const admitted = new WeakSet<AbortSignal>();

  const limited = async (...args: unknown[]): Promise<unknown> => {
    const context: ToolContext = args.at(-1);
    const signal: AbortSignal | undefined = context?.mcpReq?.signal ?? context?.signal;
    if (signal !== undefined && admitted.has(signal)) return callback(...args);
    return runTool(gate, { tool, args: args[0], origin: originOf(context), signal }, () => {
      if (signal !== undefined) admitted.add(signal);
      return callback(...args);
    });
  };
  return limited as C;
}

/** What the SDKs tell a tool about its caller: v2 under `http`, v1 at the top. Without HTTP, the process has one client. */
function originOf(context: ToolContext): Origin {
  const http = context?.http ?? context?.requestInfo;
  if (http === undefined) return { authInfo: context?.authInfo, connection: "connection" };
  return {
    authInfo: context.http?.authInfo ?? context.authInfo,
    headers: toHeaders(context.http?.req?.headers ?? context.requestInfo?.headers),
    address: clientContext.address(),
    sessionId: context.sessionId,
  };
}
