export {
  RATE_LIMIT_META,
  type RefusalData,
  type RefusalError,
  type RefusedToolResult,
  readRefusal,
} from "../../answers/mcp.ts";
export { type Refusal, refusalText } from "../../answers/text.ts";
export type { McpCall } from "./call.ts";
export { type LimitFetchOptions, limitFetch } from "./fetch.ts";
export { type ClientOf, clientOf } from "./identity.ts";
export type { LimitLike, LimitOptions, McpLimits } from "./limits.ts";
export type { McpDecisionEvent, McpRateLimitOptions } from "./options.ts";
export { limitTransport, rateLimit } from "./server.ts";
export { type LimitToolOptions, limitTool } from "./tool.ts";
export type { AuthInfoLike, FetchLike, ServerLike, ToolCallback, TransportLike } from "./types.ts";
