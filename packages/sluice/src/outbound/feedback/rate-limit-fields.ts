import type { HeaderReader } from "./headers.ts";
import { believable } from "./stated-time.ts";
import type { StatedLimit } from "./statement.ts";
import { type BareItem, type Item, parseDictionary, parseList } from "./structured.ts";

/** Names and keys that servers make up are kept only up to here. */
const MAX_NAME_LENGTH = 256;

/** What `RateLimit` says now, and the policies behind it. */
export interface RateLimitFields {
  readonly states: readonly StatedLimit[];
  readonly policies: readonly StatedLimit[];
}

/**
 * The fields `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers: Lists of named items
 * (draft 8 and later) or, in `RateLimit`, the Dictionary `limit=, remaining=, reset=` (draft 7), and in
 * `RateLimit-Policy` items such as `100;w=60` (draft 7 and before). A malformed field is ignored, and so is a malformed
 * item, and a name that stands there twice with different numbers.
 */
export function readRateLimitFields(header: HeaderReader): RateLimitFields {
  const text = header("ratelimit");
  const policyText = header("ratelimit-policy");
  return {
    states: text === undefined ? [] : withoutContradictions(readList(text, namedState) ?? unnamedState(text)),
    policies: policyText === undefined ? [] : withoutContradictions(readPolicies(policyText)),
  };
}

/** `"per-minute";q=60;w=60` or `60;w=60`; the latter stand in `RateLimit-Limit` too (draft 5 and before). */
export const readPolicies = (text: string): readonly StatedLimit[] => readList(text, policy) ?? [];

function readList(text: string, read: (item: Item) => StatedLimit | undefined): readonly StatedLimit[] | undefined {
  return parseList(text)
    ?.map(read)
    .filter((one) => one !== undefined);
}

function namedState(item: Item): StatedLimit | undefined {
  const name = nameOf(item);
  const remaining = countOf(item.parameters.get("r"));
  if (name === undefined || remaining === undefined) return undefined;
  return stated({
    name,
    remaining,
    resetAfterMs: secondsOf(item.parameters.get("t")),
    partition: partitionOf(item.parameters.get("pk")),
  });
}

function policy(item: Item): StatedLimit | undefined {
  const name = nameOf(item);
  const limit = countOf(name === undefined ? item : item.parameters.get("q"));
  if (limit === undefined) return undefined;
  return stated({
    name,
    limit,
    windowMs: secondsOf(item.parameters.get("w")) || undefined,
    unit: nameOf(item.parameters.get("qu")),
    partition: partitionOf(item.parameters.get("pk")),
  });
}

function unnamedState(text: string): readonly StatedLimit[] {
  const members = parseDictionary(text);
  const remaining = countOf(members?.get("remaining"));
  if (remaining === undefined) return [];
  const resetAfterMs = secondsOf(members?.get("reset"));
  return [stated({ limit: countOf(members?.get("limit")), remaining, resetAfterMs })];
}

const countOf = (item: BareItem | undefined): number | undefined =>
  item?.type === "integer" && item.value >= 0 ? item.value : undefined;

function secondsOf(item: BareItem | undefined): number | undefined {
  const seconds = countOf(item);
  return seconds === undefined ? undefined : believable(seconds * 1000);
}

const nameOf = (item: BareItem | undefined): string | undefined =>
  (item?.type === "string" || item?.type === "token") && item.value.length <= MAX_NAME_LENGTH ? item.value : undefined;

const partitionOf = (item: BareItem | undefined): string | undefined =>
  item?.type === "bytes" && item.value.length <= MAX_NAME_LENGTH ? item.value : nameOf(item);

function withoutContradictions(limits: readonly StatedLimit[]): readonly StatedLimit[] {
  const isSame = (one: StatedLimit, other: StatedLimit) =>
    one.name !== undefined && one.name === other.name && one.partition === other.partition;
  const isEqual = (one: StatedLimit, other: StatedLimit) => JSON.stringify(one) === JSON.stringify(other);
  return limits.filter((one, i) =>
    limits.every((other, j) => i === j || !isSame(one, other) || (isEqual(one, other) && i < j)),
  );
}

/** A limit of what is known of it alone. */
export function stated(limit: { readonly [Part in keyof StatedLimit]: StatedLimit[Part] | undefined }): StatedLimit {
  return Object.fromEntries(Object.entries(limit).filter(([, value]) => value !== undefined));
}
