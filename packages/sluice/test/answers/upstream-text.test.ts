import { describe, expect, it } from "vitest";
import { readRefusal, upstreamToolResult } from "../../src/answers/mcp.ts";
import { type UpstreamReason, type UpstreamRefusal, upstreamRefusalText } from "../../src/answers/upstream-text.ts";

const told = (reason: UpstreamReason, more: Partial<UpstreamRefusal> = {}) =>
  upstreamRefusalText({ upstream: "weather", reason, ...more });

describe("what a model is told", () => {
  it.each<[UpstreamReason, Partial<UpstreamRefusal>, string]>([
    [
      "deadline",
      { position: 3, retryAfterMs: 12_000 },
      'Rate limit reached: this tool needs the API "weather", which allows only so many calls, and 3 calls go first. It was not called, because its turn would have come too late. Wait 12 seconds, then repeat this call once. Calls before then will be refused as well.',
    ],
    [
      "queue-full",
      { position: 100, retryAfterMs: 1_000 },
      'Rate limit reached: this tool needs the API "weather", and too many calls wait for it already (100). It was not called. Wait 1 second, then repeat this call once. Calls before then will be refused as well.',
    ],
    [
      "breaker-open",
      { retryAfterMs: 5_000 },
      'This tool needs the API "weather", which has failed again and again and is left alone for a while. It was not called. It was not one call too many. Wait 5 seconds, then repeat this call once. Calls before then will be refused as well.',
    ],
    [
      "quota",
      { retryAfterMs: Infinity },
      'This call asks for more than the limit of the API "weather" can ever give, so it was not called. Do not repeat it. Ask for less, or do without.',
    ],
    [
      "store",
      {},
      'This tool needs the API "weather", and the rate limiter before it is unavailable, so it was not called. It was not one call too many. Repeat this call once after a minute. If that fails too, go on without it and tell the user.',
    ],
    [
      "cancelled",
      {},
      'This tool gave up waiting for the API "weather", which was not called. Repeat this call once if its result is still needed.',
    ],
    [
      "closed",
      {},
      'This server is stopping and makes no more calls to the API "weather", which was not called. Do not repeat this call now: go on without it, or tell the user.',
    ],
  ])("%s", (reason, more, text) => {
    expect(told(reason, more)).toBe(text);
  });

  it("counts those who go first", () => {
    expect(told("deadline", { position: 1 })).toContain("and 1 call goes first");
    expect(told("deadline", { position: 0 })).toContain("and they are used up");
    expect(told("queue-full")).toContain("already. It");
  });

  it("does not advise to wait for hours, nor for ever", () => {
    expect(told("deadline", { retryAfterMs: 3 * 3_600_000 })).toContain(
      "The next one can pass in 3 h (10800 seconds): do not wait for it",
    );
    expect(told("deadline", { retryAfterMs: Infinity })).toContain("do not repeat this call.");
  });
});

describe("what a program is told", () => {
  it.each<[UpstreamReason, boolean]>([
    ["deadline", true],
    ["queue-full", true],
    ["quota", true],
    ["breaker-open", false],
    ["store", false],
    ["cancelled", false],
    ["closed", false],
  ])("%s: that calls came too often: %s", (reason, isOveruse) => {
    const result = upstreamToolResult({ upstream: "weather", reason });
    expect(result).toMatchObject({ resultType: "complete", isError: true });
    expect(result.content[0]?.text).toBe(told(reason));
    // As JSON, where a field that is undefined would be lost.
    expect(readRefusal(JSON.parse(JSON.stringify(result)))).toEqual({
      rate_limited: isOveruse,
      upstream: "weather",
      reason,
    });
  });

  it("when it may try again, and how many were before it", () => {
    const read = (more: Partial<UpstreamRefusal>) =>
      readRefusal(upstreamToolResult({ upstream: "weather", reason: "deadline", ...more }));
    expect(read({ retryAfterMs: 1_500, position: 2 })).toMatchObject({ retryAfterMs: 1_500, position: 2 });
    expect(read({ retryAfterMs: Infinity })).toMatchObject({ retryAfterMs: null });
  });
});
