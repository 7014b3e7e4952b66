import { headerReader, type ResponseHeaders } from "./headers.ts";
import { parseHttpDate } from "./http-date.ts";
import { readRateLimitFields } from "./rate-limit-fields.ts";
import { readRetryAfter } from "./retry-after.ts";
import { readTriples } from "./triples.ts";

/** The part of a response that says something about limits. Responses of fetch, undici, axios, got and Node fit. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: ResponseHeaders;
}

/** What a response says about the limits behind it. Times are whole milliseconds from its arrival. */
export interface Statement {
  /** How long to wait. It outranks what `limits` say. Other statuses than 403, 429 and 503 mean other things by it. */
  readonly retryAfterMs?: number;
  readonly limits: readonly StatedLimit[];
}

/** One limit of the server, as far as it says. Counts are whole and not negative. */
export interface StatedLimit {
  /** What the server calls it: the name of its policy, GitHub's resource, Discord's bucket. */
  readonly name?: string;
  /** Units in a window. */
  readonly limit?: number;
  /** Units that were left when the request had been counted. */
  readonly remaining?: number;
  /** Until units come back: all in a fixed window, some in others. */
  readonly resetAfterMs?: number;
  /** The window, where the server says it: a time to the reset is not the window. */
  readonly windowMs?: number;
  /** What is counted, such as `"requests"` or `"tokens"`. */
  readonly unit?: string;
  /** For whom it is counted, as the server writes it. */
  readonly partition?: string;
}

/**
 * Reads what a response says about limits: `Retry-After` and its relatives; `RateLimit` and `RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers, current and older forms); the older triples of limit, remaining and reset.
 *
 * It never throws. What is malformed, or may mean two things, is left out; and so are times more than a year ahead.
 * Points in time are corrected by the `Date` of the response itself, so that no clock here needs to be right.
 *
 * @param options.wallMs when the response arrived, in milliseconds since 1970, for responses without a `Date`.
 */
export function readStatement({ headers }: ResponseHead, { wallMs }: { readonly wallMs: number }): Statement {
  const header = headerReader(headers);
  const date = header("date");
  const serverMs = (date === undefined ? undefined : parseHttpDate(date, wallMs)) ?? wallMs;
  const retryAfterMs = readRetryAfter(header, serverMs);
  const limits = readLimits();
  return retryAfterMs === undefined ? { limits } : { retryAfterMs, limits };

  function readLimits(): readonly StatedLimit[] {
    const { states, policies } = readRateLimitFields(header);
    const { detailed, plain, policies: oldPolicies } = readTriples(header, serverMs);
    const now = states.length > 0 ? [...states, ...detailed.filter(({ unit }) => unit !== undefined)] : detailed;
    return joined(withPlain(now, plain), policies.length > 0 ? policies : oldPolicies);
  }
}

/** Where limits are told apart, the unnamed triple repeats one of them in an older form; it may add the reset. */
function withPlain(limits: readonly StatedLimit[], plain: StatedLimit | undefined): readonly StatedLimit[] {
  if (plain === undefined) return limits;
  if (!limits.some(countsCalls)) return [...limits, plain];
  const same = limits.filter((one) => countsCalls(one) && repeats(plain, one));
  if (same.length !== 1 || plain.resetAfterMs === undefined) return limits;
  return limits.map((one) => (one === same[0] ? { resetAfterMs: plain.resetAfterMs!, ...one } : one));
}

const countsCalls = ({ unit = "requests" }: StatedLimit): boolean => unit === "requests";

const repeats = (plain: StatedLimit, { limit, remaining }: StatedLimit): boolean =>
  plain.remaining === remaining && (limit === undefined || plain.limit === undefined || plain.limit === limit);

/** States with their policies, and the policies whose state nobody says. */
function joined(states: readonly StatedLimit[], policies: readonly StatedLimit[]): readonly StatedLimit[] {
  const left = new Set(policies);
  const all = states.map((state) => {
    const found = policies.filter((policy) => belongs(policy, state));
    if (found.length !== 1) return state;
    left.delete(found[0]!);
    return { ...found[0], ...state };
  });
  return [...all, ...left];
}

/** By name, and by partition where the state says one; by the limit where one of them has no name. */
function belongs(policy: StatedLimit, { name, limit, windowMs, partition, unit }: StatedLimit): boolean {
  if (windowMs !== undefined || unit !== undefined) return false;
  if (policy.name === undefined || name === undefined) return limit !== undefined && policy.limit === limit;
  return policy.name === name && (partition === undefined || policy.partition === partition);
}
