import type { HeaderReader } from "./headers.ts";
import { readPolicies, stated } from "./rate-limit-fields.ts";
import { readTime } from "./stated-time.ts";
import type { StatedLimit } from "./statement.ts";

interface Triple {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
  readonly resetAfter?: string;
  readonly unit?: string;
  readonly windowMs?: number;
}

const triple = (prefix: string, suffix = ""): Triple => ({
  limit: `${prefix}limit${suffix}`,
  remaining: `${prefix}remaining${suffix}`,
  reset: `${prefix}reset${suffix}`,
  resetAfter: `${prefix}reset-after${suffix}`,
});

/** One limit, unnamed; the first of these that is there. */
const PLAIN = [triple("ratelimit-"), triple("x-ratelimit-"), triple("x-rate-limit-")];

const PERIODS_MS = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Limits that the name of the field tells apart: `x-ratelimit-remaining-tokens`, `…-minute`, `…-requests-day`. */
const DETAILED: readonly Triple[] = [
  ...["requests", "tokens"].map((unit) => ({ ...triple("x-ratelimit-", `-${unit}`), unit })),
  ...Object.entries(PERIODS_MS).flatMap(([period, windowMs]) => [
    { ...triple("x-ratelimit-", `-${period}`), windowMs },
    { ...triple("x-ratelimit-", `-requests-${period}`), unit: "requests", windowMs },
    { ...triple("x-ratelimit-", `-req-${period}`), unit: "requests", windowMs },
    { ...triple("x-ratelimit-", `-tokens-${period}`), unit: "tokens", windowMs },
  ]),
  ...["requests", "tokens", "input-tokens", "output-tokens"].map((unit) => ({
    ...triple(`anthropic-ratelimit-${unit}-`),
    unit,
  })),
];

/** A triple in one field each: limits that the name of the field tells apart, and one without a name. */
export interface Triples {
  readonly detailed: readonly StatedLimit[];
  readonly plain: StatedLimit | undefined;
  /** Policies in `RateLimit-Limit: 10, 10;w=1, 50;w=60` (draft 5 and before). */
  readonly policies: readonly StatedLimit[];
}

/**
 * The older fields: `RateLimit-Limit`, `-Remaining`, `-Reset` (drafts up to 6), `X-RateLimit-*`, `X-Rate-Limit-*`,
 * `Anthropic-RateLimit-*`. No standard says in what form they state a reset: {@link readTime} has those that are known.
 *
 * @param serverMs what the clock of the server says now, in milliseconds since 1970.
 */
export function readTriples(header: HeaderReader, serverMs: number): Triples {
  const read = (names: Triple): StatedLimit | undefined => {
    const remaining = countOf(header(names.remaining));
    const limit = limitOf(header(names.limit));
    if (remaining === undefined && limit === undefined) return undefined;
    const after = names.resetAfter === undefined ? undefined : header(names.resetAfter);
    return stated({
      limit,
      remaining,
      resetAfterMs: readTime(after, serverMs) ?? readTime(header(names.reset), serverMs),
      windowMs: names.windowMs,
      unit: names.unit,
    });
  };
  const detailed = DETAILED.filter(({ remaining }) => header(remaining) !== undefined)
    .map(read)
    .filter((one) => one !== undefined);
  const plain = first(PLAIN, read);
  // GitHub has a budget for each resource, and Discord for each bucket.
  const name = header("x-ratelimit-resource") ?? header("x-ratelimit-bucket");
  return {
    detailed,
    plain: plain === undefined || name === undefined || name.length > 256 ? plain : { name, ...plain },
    policies: readPolicies(header("ratelimit-limit") ?? "").filter(({ windowMs }) => windowMs !== undefined),
  };
}

function first<T, R>(list: readonly T[], read: (one: T) => R | undefined): R | undefined {
  for (const one of list) {
    const found = read(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** In older drafts the policies follow the number: `10, 10;w=1, 50;w=60`. */
function limitOf(text: string | undefined): number | undefined {
  return countOf(text) ?? countOf(/^(\d+)\s*,\s*\d+\s*;/.exec(text ?? "")?.[1]);
}

/** A count, without its decimals. A field that stands there twice must say the same twice. */
function countOf(text: string | undefined): number | undefined {
  const [one, ...others] = new Set(text?.split(",").map((part) => part.trim()));
  return one !== undefined && others.length === 0 && /^\d{1,15}(?:\.\d+)?$/.test(one)
    ? Math.floor(Number(one))
    : undefined;
}
