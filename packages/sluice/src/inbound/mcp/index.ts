export {
  RATE_LIMIT_META,
  type RefusalData,
  type RefusalError,
  type RefusedToolResult,
  readRefusal,
} from "../../answers/mcp.ts";
export { type Refusal, refusalText } from "../../answers/text.ts";
export type { AuthInfoLike, McpCall } from "../../policy/call.ts";
export type { ArgumentCost, Cost } from "../../policy/cost.ts";
export type { KeyPart, PolicyKey } from "../../policy/key.ts";
export type { Match } from "../../policy/match.ts";
export type { Pattern } from "../../policy/pattern.ts";
export type { Policy } from "../../policy/policy.ts";
export type { TierOf } from "../../policy/tier.ts";
export { type LimitFetchOptions, limitFetch } from "./fetch.ts";
export { type ClientOf, clientOf } from "./identity.ts";
export type { LimitLike, LimitOptions, McpLimits } from "./limits.ts";
export type { McpDecisionEvent, McpRateLimitOptions } from "./options.ts";
export { limitTransport, rateLimit } from "./server.ts";
export { type LimitToolOptions, limitTool } from "./tool.ts";
export type { FetchLike, ServerLike, ToolCallback, TransportLike } from "./types.ts";
