import { readStatement, type Statement } from "sluice/outbound";
import { describe, expect, it } from "vitest";
import { closedForMs, throttledBy } from "../../../src/outbound/feedback/throttled-by.ts";

/** 2026-03-01 12:00:00 UTC; the clock here is wrong by an hour, the server's `Date` is right. */
const DATE = "Sun, 01 Mar 2026 12:00:00 GMT";
const SERVER_S = Date.parse(DATE) / 1000;
const wallMs = SERVER_S * 1000 + 3_600_000;

const read = (status: number, headers: Record<string, string>) =>
  readStatement({ status, headers: { date: DATE, ...headers } }, { wallMs });

interface Case {
  readonly from: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly says: Statement;
  readonly throttled: boolean;
  readonly closedMs?: number;
}

const CASES: readonly Case[] = [
  {
    from: "GitHub, primary limit",
    status: 403,
    headers: {
      "x-ratelimit-limit": "5000",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-used": "5000",
      "x-ratelimit-reset": `${SERVER_S + 600}`,
      "x-ratelimit-resource": "core",
    },
    says: { limits: [{ name: "core", limit: 5000, remaining: 0, resetAfterMs: 600_000 }] },
    throttled: true,
    closedMs: 600_000,
  },
  {
    from: "GitHub, secondary limit",
    status: 403,
    headers: { "retry-after": "60", "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4900" },
    says: { retryAfterMs: 60_000, limits: [{ limit: 5000, remaining: 4900 }] },
    throttled: true,
    closedMs: 60_000,
  },
  {
    from: "GitHub, forbidden",
    status: 403,
    headers: { "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4900" },
    says: { limits: [{ limit: 5000, remaining: 4900 }] },
    throttled: false,
  },
  {
    from: "OpenAI",
    status: 429,
    headers: {
      "x-ratelimit-limit-requests": "60",
      "x-ratelimit-limit-tokens": "150000",
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-remaining-tokens": "149984",
      "x-ratelimit-reset-requests": "1m33.792s",
      "x-ratelimit-reset-tokens": "6m0s",
      "retry-after": "7",
      "retry-after-ms": "6512",
    },
    says: {
      retryAfterMs: 6512,
      limits: [
        { limit: 60, remaining: 0, resetAfterMs: 93_792, unit: "requests" },
        { limit: 150_000, remaining: 149_984, resetAfterMs: 360_000, unit: "tokens" },
      ],
    },
    throttled: true,
    closedMs: 6512,
  },
  {
    from: "Anthropic",
    status: 200,
    headers: {
      "anthropic-ratelimit-requests-limit": "50",
      "anthropic-ratelimit-requests-remaining": "49",
      "anthropic-ratelimit-requests-reset": "2026-03-01T12:00:01Z",
      "anthropic-ratelimit-input-tokens-limit": "40000",
      "anthropic-ratelimit-input-tokens-remaining": "39000",
      "anthropic-ratelimit-input-tokens-reset": "2026-03-01T13:00:02.5+01:00",
    },
    says: {
      limits: [
        { limit: 50, remaining: 49, resetAfterMs: 1000, unit: "requests" },
        { limit: 40_000, remaining: 39_000, resetAfterMs: 2500, unit: "input-tokens" },
      ],
    },
    throttled: false,
  },
  {
    from: "Discord",
    status: 429,
    headers: {
      "retry-after": "1",
      "x-ratelimit-limit": "5",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": `${SERVER_S + 1}.470`,
      "x-ratelimit-reset-after": "0.640",
      "x-ratelimit-bucket": "abcd1234",
      "x-ratelimit-scope": "user",
    },
    says: { retryAfterMs: 1000, limits: [{ name: "abcd1234", limit: 5, remaining: 0, resetAfterMs: 640 }] },
    throttled: true,
    closedMs: 1000,
  },
  { from: "Stripe", status: 429, headers: { "stripe-should-retry": "true" }, says: { limits: [] }, throttled: true },
  { from: "CoinGecko", status: 429, headers: {}, says: { limits: [] }, throttled: true },
  {
    from: "Shopify, whose numbers are no count of a window",
    status: 429,
    headers: { "retry-after": "2.0", "x-shopify-shop-api-call-limit": "40/40" },
    says: { retryAfterMs: 2000, limits: [] },
    throttled: true,
    closedMs: 2000,
  },
  {
    from: "a value as Shopify writes it in a common field",
    status: 200,
    headers: { "x-ratelimit-limit": "32/40", "x-ratelimit-remaining": "8/40", "x-ratelimit-reset": "soon" },
    says: { limits: [] },
    throttled: false,
  },
  {
    from: "Alchemy and Infura",
    status: 429,
    headers: { "retry-after": "1" },
    says: { retryAfterMs: 1000, limits: [] },
    throttled: true,
    closedMs: 1000,
  },
  {
    from: "X",
    status: 429,
    headers: {
      "x-rate-limit-limit": "300",
      "x-rate-limit-remaining": "0",
      "x-rate-limit-reset": `${SERVER_S + 900}`,
    },
    says: { limits: [{ limit: 300, remaining: 0, resetAfterMs: 900_000 }] },
    throttled: true,
    closedMs: 900_000,
  },
  {
    from: "OpenRouter, in milliseconds since 1970",
    status: 429,
    headers: {
      "x-ratelimit-limit": "20",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": `${SERVER_S * 1000 + 1234}`,
    },
    says: { limits: [{ limit: 20, remaining: 0, resetAfterMs: 1234 }] },
    throttled: true,
    closedMs: 1234,
  },
  {
    from: "Azure and AWS, in milliseconds",
    status: 503,
    headers: { "x-ms-retry-after-ms": "84", "x-amz-retry-after": "1500" },
    says: { retryAfterMs: 1500, limits: [] },
    throttled: true,
    closedMs: 1500,
  },
  {
    from: "Bucket4j",
    status: 429,
    headers: { "x-rate-limit-retry-after-seconds": "25", "x-rate-limit-remaining": "0" },
    says: { retryAfterMs: 25_000, limits: [{ remaining: 0 }] },
    throttled: true,
    closedMs: 25_000,
  },
  {
    from: "Kong, which repeats one of its limits unnamed",
    status: 200,
    headers: {
      "x-ratelimit-limit-minute": "5",
      "x-ratelimit-remaining-minute": "3",
      "x-ratelimit-limit-hour": "100",
      "x-ratelimit-remaining-hour": "90",
      "ratelimit-limit": "5",
      "ratelimit-remaining": "3",
      "ratelimit-reset": "44",
    },
    says: {
      limits: [
        { limit: 5, remaining: 3, resetAfterMs: 44_000, windowMs: 60_000 },
        { limit: 100, remaining: 90, windowMs: 3_600_000 },
      ],
    },
    throttled: false,
  },
  {
    from: "Mistral and Cerebras",
    status: 200,
    headers: {
      "x-ratelimit-limit-req-minute": "60",
      "x-ratelimit-remaining-req-minute": "59",
      "x-ratelimit-limit-tokens-day": "1000000",
      "x-ratelimit-remaining-tokens-day": "999000",
      "x-ratelimit-reset-tokens-day": "33011.382867",
    },
    says: {
      limits: [
        { limit: 60, remaining: 59, unit: "requests", windowMs: 60_000 },
        { limit: 1_000_000, remaining: 999_000, unit: "tokens", windowMs: 86_400_000, resetAfterMs: 33_011_383 },
      ],
    },
    throttled: false,
  },
  {
    from: "Reddit, with decimals",
    status: 200,
    headers: { "x-ratelimit-remaining": "598.7", "x-ratelimit-used": "2", "x-ratelimit-reset": "231" },
    says: { limits: [{ remaining: 598, resetAfterMs: 231_000 }] },
    throttled: false,
  },
  {
    from: "Cloudflare, with a partition key",
    status: 200,
    headers: {
      ratelimit: '"default";r=95;t=25;pk=:MGMzNA==:',
      "ratelimit-policy": '"default";q=100;w=60;qu="requests";pk=:MGMzNA==:',
    },
    says: {
      limits: [
        {
          name: "default",
          limit: 100,
          remaining: 95,
          resetAfterMs: 25_000,
          windowMs: 60_000,
          unit: "requests",
          partition: "MGMzNA==",
        },
      ],
    },
    throttled: false,
  },
  {
    from: "a server of draft 5, with its policies in the limit",
    status: 200,
    headers: { "ratelimit-limit": "10, 10;w=1, 50;w=60", "ratelimit-remaining": "9", "ratelimit-reset": "1" },
    says: {
      limits: [
        { limit: 10, remaining: 9, resetAfterMs: 1000, windowMs: 1000 },
        { limit: 50, windowMs: 60_000 },
      ],
    },
    throttled: false,
  },
  {
    from: "a server in maintenance",
    status: 503,
    headers: { "retry-after": "Sun, 01 Mar 2026 12:30:00 GMT" },
    says: { retryAfterMs: 1_800_000, limits: [] },
    throttled: true,
    closedMs: 1_800_000,
  },
  { from: "a server that is down", status: 503, headers: {}, says: { limits: [] }, throttled: false },
  {
    from: "a job that is not done, which is no throttle",
    status: 202,
    headers: { "retry-after": "5" },
    says: { retryAfterMs: 5000, limits: [] },
    throttled: false,
    closedMs: 5000,
  },
  {
    from: "two limits that are used up: the later reset opens",
    status: 429,
    headers: { ratelimit: '"a";r=0;t=10, "b";r=0;t=70, "c";r=5;t=900' },
    says: {
      limits: [
        { name: "a", remaining: 0, resetAfterMs: 10_000 },
        { name: "b", remaining: 0, resetAfterMs: 70_000 },
        { name: "c", remaining: 5, resetAfterMs: 900_000 },
      ],
    },
    throttled: true,
    closedMs: 70_000,
  },
];

describe("what a response says", () => {
  it.each(CASES)("is read from $from", ({ status, headers, says, throttled, closedMs }) => {
    const statement = read(status, headers);
    expect(statement).toEqual(says);
    expect(throttledBy(status, statement)).toBe(throttled);
    expect(closedForMs(statement)).toBe(closedMs);
  });
});
