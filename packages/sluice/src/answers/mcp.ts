import { type Refusal, refusalText } from "./text.ts";
import { isOveruse, type UpstreamReason, type UpstreamRefusal, upstreamRefusalText } from "./upstream-text.ts";

/** Where a refused tool result carries its data. Vendor keys of `_meta` have a prefix of their own (MCP, "General fields"). */
export const RATE_LIMIT_META = "dev.sluice/rateLimit";

/** What a program reads of a refusal: by a limit of the server, or by one of an upstream that its tool needs. */
export interface RefusalData {
  /** False when no limit was met: the limiter or the upstream is out of order, or the call repeats itself. It was not run. */
  readonly rate_limited: boolean;
  /** Milliseconds after which the same call passes; `null` when it never will. Left out where nobody knows. */
  readonly retryAfterMs?: number | null;
  /** Of a limit of the server. */
  readonly limit?: number;
  readonly remaining?: number;
  /** Name of the quota that refused. */
  readonly quota?: string;
  /** Of a call that repeats itself: how often it was made, with the same result each time. */
  readonly loop?: number;
  /** Name of the upstream that was not called, and why it was not. */
  readonly upstream?: string;
  readonly reason?: UpstreamReason;
  /** Calls that were to start before that one. */
  readonly position?: number;
}

/** A tool's result that says that the tool was not run. */
export interface RefusedToolResult {
  readonly resultType: "complete";
  readonly isError: true;
  readonly content: { readonly type: "text"; readonly text: string }[];
  readonly _meta: { readonly [RATE_LIMIT_META]: RefusalData };
}

export interface RefusalError {
  readonly code: number;
  readonly message: string;
  readonly data: RefusalData;
}

function refusalData({ decision: { retryAfterMs, limit, remaining, quota, degraded }, loop }: Refusal): RefusalData {
  if (loop !== undefined) return { rate_limited: false, retryAfterMs: jsonMs(retryAfterMs), loop: loop.times };
  return {
    rate_limited: !degraded,
    retryAfterMs: jsonMs(retryAfterMs),
    limit,
    remaining,
    quota,
  };
}

/**
 * A refused `tools/call` as a result: the one form that clients show to the model.
 *
 * `resultType` is what clients of 2026-07-28 insist on; there is no `structuredContent`, because
 * clients check that against the tool's `outputSchema`.
 */
export function refusedToolResult(refusal: Refusal, text: string = refusalText(refusal)): RefusedToolResult {
  return toolResult(text, refusalData(refusal));
}

/** The result of a tool that needed an upstream which was not called, in the same form. */
export function upstreamToolResult(refusal: UpstreamRefusal): RefusedToolResult {
  const { upstream, reason, retryAfterMs, position } = refusal;
  return toolResult(upstreamRefusalText(refusal), {
    rate_limited: isOveruse(reason),
    ...(retryAfterMs !== undefined && { retryAfterMs: jsonMs(retryAfterMs) }),
    upstream,
    reason,
    ...(position !== undefined && { position }),
  });
}

function toolResult(text: string, data: RefusalData): RefusedToolResult {
  return {
    resultType: "complete",
    isError: true,
    content: [{ type: "text", text }],
    _meta: { [RATE_LIMIT_META]: data },
  };
}

/** JSON has no `Infinity`. */
const jsonMs = (ms: number): number | null => (ms === Infinity ? null : ms);

/** Code of a refusal by a limiter that is out of order. An outage is never a 429. */
const OUTAGE_CODE = 503;

/**
 * A refused request as a JSON-RPC error.
 *
 * @param code of a rate limit; an outage of the limiter has the code 503 instead.
 */
export function refusalError(refusal: Refusal, code: number, text: string = refusalText(refusal)): RefusalError {
  return { code: refusal.decision.degraded ? OUTAGE_CODE : code, message: text, data: refusalData(refusal) };
}

/**
 * What a refusal says, for the client's side: from a tool's result, or from the error that the
 * client of an SDK throws. `undefined` for anything that is not a refusal of Sluice.
 */
export function readRefusal(answer: unknown): RefusalData | undefined {
  const { _meta, data } = (answer ?? {}) as { _meta?: Record<string, unknown>; data?: unknown };
  const found = _meta?.[RATE_LIMIT_META] ?? data;
  return typeof (found as Partial<RefusalData> | undefined)?.rate_limited === "boolean"
    ? (found as RefusalData)
    : undefined;
}
