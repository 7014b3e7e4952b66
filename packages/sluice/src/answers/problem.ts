import type { Decision } from "../limiter/decision.ts";
import type { Quota } from "../limiter/quota.ts";

const TYPES = "https://iana.org/assignments/http-problem-types";

/** The media type of a problem document. */
export const PROBLEM_TYPE = "application/problem+json";

/**
 * A refusal as a problem document (RFC 9457), of a type that draft-ietf-httpapi-ratelimit-headers defines.
 */
export interface RateLimitProblem {
  readonly type: string;
  readonly title: string;
  /** 429, or 503 when the store that should have decided is out of order: an outage is nobody's fault but ours. */
  readonly status: 429 | 503;
  /** For people: which quota, and when the call can pass. */
  readonly detail: string;
  /** Names of the quotas that refuse. */
  readonly "violated-policies": readonly string[];
  /** Exact milliseconds until the call can pass; `null` when it never can. */
  readonly retry_after_ms: number | null;
  readonly quota: string;
  readonly limit: number;
  readonly remaining: number;
}

/** What to say about a refused call. */
export function rateLimitProblem(
  quotas: readonly Quota[],
  decision: Decision,
  decisions: readonly Decision[],
): RateLimitProblem {
  const { quota, limit, remaining, retryAfterMs, degraded } = decision;
  const [type, title, status] = degraded
    ? (["temporary-reduced-capacity", "Temporary Reduced Capacity", 503] as const)
    : (["quota-exceeded", "Quota Exceeded", 429] as const);
  return {
    type: `${TYPES}#${type}`,
    title,
    status,
    detail: `${reason(quotas, decision)} ${advice(decision)}`,
    "violated-policies": decisions.filter(({ allowed }) => !allowed).map((one) => one.quota),
    retry_after_ms: retryAfterMs === Infinity ? null : retryAfterMs,
    quota,
    limit,
    remaining,
  };
}

function reason(quotas: readonly Quota[], { quota, limit, remaining, degraded, retryAfterMs }: Decision): string {
  if (degraded) return "Requests cannot be counted at the moment, so this one was not let through.";
  if (limit === 0) return "This client is blocked for some time.";
  const text = quotas.find(({ name }) => name === quota)?.text ?? `at most ${limit}`;
  if (retryAfterMs === Infinity) return `This request costs more than the quota "${quota}" (${text}) can ever give.`;
  if (remaining > 0) return `This request costs more than the ${remaining} left of the quota "${quota}" (${text}).`;
  return `The quota "${quota}" (${text}) is used up.`;
}

function advice({ retryAfterMs }: Decision): string {
  if (retryAfterMs === Infinity) return "It will not pass later either.";
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  return `Retry after ${seconds} second${seconds === 1 ? "" : "s"}.`;
}

/** The document as JSON: what `JSON.stringify` makes of it, in a quarter of the time. Names need no escapes. */
export function problemBody(problem: RateLimitProblem): string {
  const { type, title, status, detail, quota, limit, remaining, retry_after_ms: retryAfterMs } = problem;
  const violated = problem["violated-policies"].join('","');
  return (
    `{"type":"${type}","title":"${title}","status":${status},"detail":${JSON.stringify(detail)},` +
    `"violated-policies":["${violated}"],"retry_after_ms":${retryAfterMs},` +
    `"quota":"${quota}","limit":${finite(limit)},"remaining":${finite(remaining)}}`
  );
}

/** JSON has no other numbers. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
