/**
 * Names of the semantic conventions, and of what they have no name for.
 *
 * @see https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/mcp.md
 */
export const ATTRIBUTE = {
  method: "mcp.method.name",
  protocolVersion: "mcp.protocol.version",
  sessionId: "mcp.session.id",
  resourceUri: "mcp.resource.uri",
  tool: "gen_ai.tool.name",
  prompt: "gen_ai.prompt.name",
  operation: "gen_ai.operation.name",
  requestId: "jsonrpc.request.id",
  statusCode: "rpc.response.status_code",
  errorType: "error.type",
  transport: "network.transport",
  protocol: "network.protocol.name",
  httpMethod: "http.request.method",
  httpStatus: "http.response.status_code",
  httpResend: "http.request.resend_count",
  url: "url.full",
  serverAddress: "server.address",
  serverPort: "server.port",
} as const;

/** No convention knows rate limits: these are our own. Times are seconds, as OpenTelemetry has them. */
export const RATE_LIMIT = {
  decision: "rate_limit.decision",
  policy: "rate_limit.policy",
  kind: "rate_limit.kind",
  tier: "rate_limit.tier",
  limit: "rate_limit.limit",
  remaining: "rate_limit.remaining",
  waited: "rate_limit.waited",
  retryAfter: "rate_limit.retry_after",
  degraded: "rate_limit.degraded",
  waitReason: "rate_limit.wait.reason",
  shadowDecision: "rate_limit.shadow.decision",
  shadowPolicy: "rate_limit.shadow.policy",
  upstream: "rate_limit.upstream",
} as const;

/** What a name is in metrics that nobody has vouched for: the word of the conventions for that. */
export const OTHER = "_OTHER";

/** Boundaries of the conventions for durations of MCP operations, in seconds. */
export const DURATION_BUCKETS: readonly number[] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

/** A decision in memory takes microseconds, one over a network milliseconds. In seconds. */
export const DECISION_BUCKETS: readonly number[] = [
  0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1,
];

/** Parts of a limit that are used: the upper ones are those that somebody wants to be warned of. */
export const UTILIZATION_BUCKETS: readonly number[] = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1];
