import type { ToolContext } from "./types.ts";

/** What a client is told while its request waits (MCP, "Progress"). */
export interface Progress {
  /** Greater each time. */
  readonly progress: number;
  readonly total?: number;
  readonly message: string;
}

/** A request for a tool, the same for all SDKs. */
export interface ToolRequest {
  /** Aborts when the client cancels the request, or is gone. */
  readonly signal: AbortSignal | undefined;
  /** Tells the client of progress. Undefined: it did not ask for that. */
  readonly tell: ((progress: Progress) => Promise<unknown>) | undefined;
  /** FastMCP accepts no other fields in a result than its own. */
  readonly isFastMcp: boolean;
}

/** Reads a tool's context: of SDK v2 (`mcpReq`), of v1, or of FastMCP, which hides the token and tells only if there is one. */
export function toolRequest(context: ToolContext): ToolRequest {
  const request = context?.mcpReq ?? context;
  const signal: AbortSignal | undefined = request?.signal;
  if (typeof request?.reportProgress === "function") {
    return { signal, tell: async (progress) => request.reportProgress(progress), isFastMcp: true };
  }
  const progressToken: string | number | undefined = request?._meta?.progressToken;
  const notify: ToolContext = request?.notify ?? request?.sendNotification;
  const tell =
    progressToken === undefined || typeof notify !== "function"
      ? undefined
      : async (progress: Progress) =>
          notify.call(request, { method: "notifications/progress", params: { progressToken, ...progress } });
  return { signal, tell, isFastMcp: false };
}
