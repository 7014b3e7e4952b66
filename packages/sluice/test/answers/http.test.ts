import fc from "fast-check";
import { type Decision, perHour, perMinute, perPeriod, perSecond, quota, tokenBucket } from "sluice";
import { parseDictionary, parseItem, parseList } from "structured-headers";
import { describe, expect, it } from "vitest";
import { httpHeaders, type RateLimitDraft } from "../../src/answers/http.ts";
import { problemBody, rateLimitProblem } from "../../src/answers/problem.ts";

const decided = (changes: Partial<Decision> = {}): Decision => ({
  allowed: true,
  quota: "per-minute",
  limit: 60,
  remaining: 12,
  retryAfterMs: 0,
  resetAfterMs: 20_000,
  degraded: false,
  ...changes,
});
const refused = (changes: Partial<Decision> = {}) =>
  decided({ allowed: false, remaining: 0, retryAfterMs: 19_001, ...changes });

const fields = (list: readonly string[]) => {
  const map = new Map<string, string>();
  for (let i = 0; i < list.length; i += 2) map.set(list[i]!, list[i + 1]!);
  return map;
};

describe("header fields", () => {
  it("are those of draft 11 and X-RateLimit unless told otherwise", () => {
    const day = decided({ quota: "per-hour", limit: 2000, remaining: 1450, resetAfterMs: 3_000_000 });
    const list = httpHeaders([perMinute(60), perHour(2000)])(refused(), [refused(), day]);
    expect(list).toEqual([
      "retry-after",
      "20",
      "ratelimit",
      '"per-minute";r=0;t=20, "per-hour";r=1450;t=3000',
      "ratelimit-policy",
      '"per-minute";q=60;w=60, "per-hour";q=2000;w=3600',
      "x-ratelimit-limit",
      "60",
      "x-ratelimit-remaining",
      "0",
      "x-ratelimit-reset",
      "20",
    ]);
  });

  it("never say 0 or a past time on a refusal", () => {
    const one = refused({ retryAfterMs: 1, resetAfterMs: 1 });
    const map = fields(httpHeaders([perMinute(60)])(one, [one]));
    expect(map.get("retry-after")).toBe("1");
    expect(map.get("ratelimit")).toBe('"per-minute";r=0;t=1');
  });

  it("have no Retry-After for a cost that can never pass", () => {
    const never = refused({ remaining: 60, retryAfterMs: Infinity, resetAfterMs: 0 });
    const map = fields(httpHeaders([perMinute(60)])(never, [never]));
    expect(map.has("retry-after")).toBe(false);
    expect(map.get("ratelimit")).toBe('"per-minute";r=60;t=1');
  });

  it("state windows in whole seconds, never more generous than the quota", () => {
    const quotas = [
      perPeriod(3, 1500, { name: "a" }),
      perPeriod(5, 100, { name: "b" }),
      perSecond(10, { burst: 35, name: "c" }),
    ];
    const one = decided({ quota: "a" });
    expect(fields(httpHeaders(quotas)(one, [one])).get("ratelimit-policy")).toBe(
      '"a";q=3;w=2, "b";q=5;w=1, "c";q=35;w=4',
    );
  });

  it("leave out a quota without a limit, and every field when there is no other", () => {
    const algorithm = tokenBucket({ limit: 1, periodMs: 1 });
    const unlimited = quota({ name: "unlimited", text: "no limit", limit: Infinity, periodMs: 1000, algorithm });
    const free = decided({ quota: "unlimited", limit: Infinity, remaining: Infinity });
    expect(httpHeaders([unlimited])(free, [free])).toEqual([]);
    for (const headers of ["draft-7", "draft-6"] as const)
      expect(httpHeaders([unlimited], { headers })(free, [free])).toEqual([]);
    const both = fields(httpHeaders([perMinute(60), unlimited])(decided(), [decided(), free]));
    expect(both.get("ratelimit")).toBe('"per-minute";r=12;t=20');
    expect(both.get("ratelimit-policy")).toBe('"per-minute";q=60;w=60');
  });

  it("refuse an unknown draft", () => {
    expect(() => httpHeaders([perMinute(1)], { headers: "draft-8" as RateLimitDraft })).toThrow('"draft-8"');
  });

  it("can be read by a parser of Structured Fields, whatever the numbers", () => {
    const number = fc.oneof(
      fc.integer({ min: 0, max: 100_000 }),
      fc.maxSafeInteger(),
      fc.double(),
      fc.constantFrom(Number.MAX_SAFE_INTEGER, 1e15, 1e21, Infinity, Number.NaN, -1, 0.5),
    );
    const name = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/);
    const decision = fc
      .record({
        quota: name,
        limit: number,
        remaining: number,
        retryAfterMs: number,
        resetAfterMs: number,
        allowed: fc.boolean(),
      })
      .map((one): Decision => ({ ...one, degraded: false, retryAfterMs: one.allowed ? 0 : one.retryAfterMs }));
    const list = fc.uniqueArray(decision, { minLength: 1, maxLength: 4, selector: (one) => one.quota });
    fc.assert(
      fc.property(list, fc.constantFrom<RateLimitDraft>("draft-11", "draft-7", "draft-6"), (decisions, headers) => {
        const algorithm = tokenBucket({ limit: 1, periodMs: 1 });
        const quotas = decisions.map((one) =>
          quota({ name: one.quota, text: "", limit: one.limit, periodMs: one.resetAfterMs, algorithm }),
        );
        const map = fields(httpHeaders(quotas, { headers })(decisions[0]!, decisions));
        for (const [field, value] of map) {
          if (field === "ratelimit-policy" || (field === "ratelimit" && headers === "draft-11")) {
            for (const [, parameters] of parseList(value)) expect([...parameters.values()].every(isCount)).toBe(true);
          } else if (field === "ratelimit") {
            expect([...parseDictionary(value).values()].every(([count]) => isCount(count))).toBe(true);
          } else {
            expect(isCount(parseItem(value)[0])).toBe(true);
          }
        }
        if (map.has("retry-after")) expect(Number(map.get("retry-after"))).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 10_000 },
    );
  });
});

const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 1e15;

describe("problem documents", () => {
  const quotas = [perMinute(60)];
  it.each([
    [refused(), 'The quota "per-minute" (60 per minute) is used up. Retry after 20 seconds.'],
    [refused({ retryAfterMs: 1 }), 'The quota "per-minute" (60 per minute) is used up. Retry after 1 second.'],
    [
      refused({ remaining: 3 }),
      'This request costs more than the 3 left of the quota "per-minute" (60 per minute). Retry after 20 seconds.',
    ],
    [
      refused({ retryAfterMs: Infinity }),
      'This request costs more than the quota "per-minute" (60 per minute) can ever give. It will not pass later either.',
    ],
    [refused({ quota: "block", limit: 0 }), "This client is blocked for some time. Retry after 20 seconds."],
  ])("say what happened and what to do (%#)", (decision, detail) => {
    expect(rateLimitProblem(quotas, decision, [decision])).toMatchObject({
      status: 429,
      title: "Quota Exceeded",
      detail,
    });
  });

  it("names all quotas that refuse, and only those", () => {
    const hour = refused({ quota: "per-hour", retryAfterMs: 1_000_000 });
    const other = decided({ quota: "per-day" });
    expect(rateLimitProblem(quotas, hour, [refused(), hour, other])["violated-policies"]).toEqual([
      "per-minute",
      "per-hour",
    ]);
  });

  it("are the JSON that anybody would make of them", () => {
    const quotas = [
      quota({
        name: "odd",
        text: 'a "text" with \\ and \n, and ü',
        periodMs: 1,
        algorithm: tokenBucket({ limit: 1, periodMs: 1 }),
      }),
    ];
    for (const changes of [{}, { remaining: 3 }, { retryAfterMs: Infinity }, { limit: Infinity }, { degraded: true }]) {
      const decision = refused({ quota: "odd", ...changes });
      const problem = rateLimitProblem(quotas, decision, [decision, refused(), decided()]);
      expect(problemBody(problem)).toBe(JSON.stringify(problem));
    }
  });

  it("an outage is not the client's fault: 503", () => {
    const outage = refused({ degraded: true });
    expect(rateLimitProblem(quotas, outage, [outage])).toMatchObject({
      status: 503,
      title: "Temporary Reduced Capacity",
    });
    expect(httpHeaders(quotas)(outage, [outage])).toEqual(["retry-after", "20"]);
    const open = decided({ degraded: true });
    for (const headers of ["draft-11", "draft-7", "draft-6"] as const) {
      expect(httpHeaders(quotas, { headers })(open, [open])).toEqual([]);
    }
  });
});
