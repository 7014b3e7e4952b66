import type { Decision } from "../limiter/decision.ts";
import type { Quota } from "../limiter/quota.ts";

/** Which text of the IETF's "RateLimit header fields for HTTP" the fields follow. */
export type RateLimitDraft = "draft-11" | "draft-7" | "draft-6";

export interface HttpHeaderOptions {
  /**
   * Draft of the `RateLimit` fields, or `false` for none. Draft 11 has the syntax of draft 8 and later.
   *
   * @default "draft-11"
   */
  readonly headers?: RateLimitDraft | false;
  /** Send `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds from now). @default true */
  readonly legacyHeaders?: boolean;
}

/**
 * Header fields for one call: names and values in turn, the form that `writeHead` takes. Names are in
 * lower case, as HTTP/2 wants them; and `setHeader` takes half as long for such.
 *
 * @param decision the binding one.
 * @param decisions one for each quota, in their order; a block may follow.
 */
export type HttpHeaders = (decision: Decision, decisions: readonly Decision[]) => string[];

/** The greatest Integer of a Structured Field (RFC 9651, section 3.3.1). */
const MAX_INTEGER = 999_999_999_999_999;

/**
 * The header fields of an answer over HTTP, from the quotas' decisions.
 *
 * `Retry-After` (RFC 9110) stands on refusals that can pass later. `RateLimit` and `RateLimit-Policy`
 * follow draft-ietf-httpapi-ratelimit-headers; they are left out of a degraded answer. What depends on the quotas
 * alone is made here, once.
 *
 * @throws RangeError for an unknown draft.
 */
export function httpHeaders(
  quotas: readonly Quota[],
  { headers = "draft-11", legacyHeaders = true }: HttpHeaderOptions = {},
): HttpHeaders {
  const addDraft = headers === false ? undefined : writerOf(headers)(quotas.filter(isBounded));

  return (decision, decisions) => {
    const list: string[] = [];
    if (!decision.allowed) {
      if (decision.retryAfterMs !== Infinity) list.push("retry-after", `${secondsUntil(decision)}`);
    }
    // Without its store nobody knows what is left: nothing is promised.
    if (decision.degraded) return list;
    addDraft?.(list, decision, decisions);
    if (legacyHeaders && isBounded(decision)) {
      list.push(
        "x-ratelimit-limit",
        `${integer(decision.limit)}`,
        "x-ratelimit-remaining",
        `${integer(decision.remaining)}`,
        "x-ratelimit-reset",
        `${secondsUntil(decision)}`,
      );
    }
    return list;
  };
}

type DraftWriter = (list: string[], decision: Decision, decisions: readonly Decision[]) => void;

function writerOf(draft: RateLimitDraft): (quotas: readonly Quota[]) => DraftWriter {
  if (draft === "draft-11") return draft11;
  if (draft === "draft-7") return draft7;
  if (draft === "draft-6") return draft6;
  throw new RangeError(
    `headers must be "draft-11", "draft-7", "draft-6" or false, but it is ${JSON.stringify(draft)}.`,
  );
}

/** Two Lists of all quotas: `RateLimit: "per-minute";r=12;t=20` and `RateLimit-Policy: "per-minute";q=60;w=60`. */
function draft11(quotas: readonly Quota[]): DraftWriter {
  const policy = quotas
    .map(({ name, limit, periodMs }) => `"${name}";q=${integer(limit)};w=${windowSeconds(periodMs)}`)
    .join(", ");
  const blocked = `${policy === "" ? "" : `${policy}, `}"block";q=0`;

  return (list, decision, decisions) => {
    let limits = "";
    for (let i = 0; i < decisions.length; i++) {
      const one = decisions[i]!;
      if (!isBounded(one) || (one.limit === 0 && one.allowed)) continue;
      const item = `"${one.quota}";r=${integer(one.remaining)};t=${secondsUntil(one)}`;
      limits = limits === "" ? item : `${limits}, ${item}`;
    }
    if (limits === "") return;
    list.push("ratelimit", limits, "ratelimit-policy", isBlock(decision) ? blocked : policy);
  };
}

/** One Dictionary of the binding quota: `RateLimit: limit=60, remaining=12, reset=20`. */
function draft7(quotas: readonly Quota[]): DraftWriter {
  const policy = unnamedPolicy(quotas);
  return (list, decision) => {
    if (!isBounded(decision)) return;
    const { limit, remaining } = decision;
    list.push(
      "ratelimit",
      `limit=${integer(limit)}, remaining=${integer(remaining)}, reset=${secondsUntil(decision)}`,
      "ratelimit-policy",
      policy,
    );
  };
}

/** Three fields of the binding quota, and the policy. */
function draft6(quotas: readonly Quota[]): DraftWriter {
  const policy = unnamedPolicy(quotas);
  return (list, decision) => {
    if (!isBounded(decision)) return;
    list.push(
      "ratelimit-limit",
      `${integer(decision.limit)}`,
      "ratelimit-remaining",
      `${integer(decision.remaining)}`,
      "ratelimit-reset",
      `${secondsUntil(decision)}`,
      "ratelimit-policy",
      policy,
    );
  };
}

const unnamedPolicy = (quotas: readonly Quota[]): string =>
  quotas.map(({ limit, periodMs }) => `${integer(limit)};w=${windowSeconds(periodMs)}`).join(", ");

/**
 * When refused, until this call can pass, so that no field points beyond `Retry-After`; when allowed, or
 * when it never can, until the quota is whole again. Rounded up: whoever waits so long has waited enough.
 */
function secondsUntil({ allowed, retryAfterMs, resetAfterMs }: Decision): number {
  if (allowed) return integer(Math.ceil(resetAfterMs / 1000));
  return Math.max(1, integer(Math.ceil((retryAfterMs === Infinity ? resetAfterMs : retryAfterMs) / 1000)));
}

/** Windows are whole seconds: a shorter one is stated as a second, which is never more than is allowed. */
const windowSeconds = (periodMs: number): number => Math.max(1, integer(Math.ceil(periodMs / 1000)));

/** What a Structured Field can carry: anything that is not a number from 0 up becomes 0. */
const integer = (value: number): number => (value > 0 ? Math.min(Math.floor(value), MAX_INTEGER) : 0);

/** A quota without a limit is left out: no field can say "infinitely many". */
const isBounded = ({ limit }: { readonly limit: number }): boolean => limit !== Infinity;

/** No quota has the limit 0: it is a key that was blocked. */
const isBlock = ({ allowed, limit }: Decision): boolean => !allowed && limit === 0;
