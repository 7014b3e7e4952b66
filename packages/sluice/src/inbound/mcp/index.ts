export type { LoopFacts } from "../../answers/loop-text.ts";
export {
  RATE_LIMIT_META,
  type RefusalData,
  type RefusalError,
  type RefusedToolResult,
  readRefusal,
} from "../../answers/mcp.ts";
export { type Refusal, refusalText } from "../../answers/text.ts";
export type { AdaptOptions } from "../../policy/adapt.ts";
export type { AuthInfoLike, McpCall } from "../../policy/call.ts";
export type { ArgumentCost, Cost } from "../../policy/cost.ts";
export type { KeyPart, PolicyKey } from "../../policy/key.ts";
export type { Match } from "../../policy/match.ts";
export { createOverrides, type Override, type Overrides, type OverridesOptions } from "../../policy/overrides.ts";
export type { Pattern } from "../../policy/pattern.ts";
export type { Policy } from "../../policy/policy.ts";
export type { Caller } from "../../policy/rule.ts";
export type { Day, ScheduledQuota } from "../../policy/schedule.ts";
export type { ResultCost, Settle } from "../../policy/settle.ts";
export type { TierOf } from "../../policy/tier.ts";
export type { Wait } from "../../policy/wait.ts";
export type { Admission } from "./admission.ts";
export { type AnswerReader, answerReader } from "./answer-reader.ts";
export { isRequest, type Origin } from "./call.ts";
export { type Deliveries, type DeliveriesOptions, type Delivery, deliveries, type Ruling } from "./deliveries.ts";
export type { ExplainedLimit, Explanation, ForgottenLimit } from "./explain.ts";
export { type LimitFetchOptions, limitFetch } from "./fetch.ts";
export type { McpCallEnd, McpCallEvent, McpCallFollower, McpCallRuling } from "./follow.ts";
export { createMcpGate, failed, type KnownLimit, type McpGate, requestsIn } from "./gate.ts";
export { type ClientOf, clientOf } from "./identity.ts";
export type { LimitLike, LimitOptions, McpLimits } from "./limits.ts";
export type { LoopOptions } from "./loop-options.ts";
export type { AdaptEvent, McpDecisionEvent, McpRateLimitOptions, QuotaDecision } from "./options.ts";
export type { McpResultEvent } from "./results.ts";
export { limitTransport, rateLimit } from "./server.ts";
export { type TicketOptions, withoutTicket } from "./tickets.ts";
export { type LimitToolOptions, limitTool } from "./tool.ts";
export type { FetchLike, JsonRpcRequest, ServerLike, ToolCallback, TransportLike } from "./types.ts";
export type { McpWaitingEvent } from "./waiting.ts";
