import fc from "fast-check";
import { type Decision, perHour, perMinute } from "sluice";
import { readStatement } from "sluice/outbound";
import { describe, expect, it } from "vitest";
import { httpHeaders, type RateLimitDraft } from "../../../src/answers/http.ts";

const read = (headers: Record<string, string>) => readStatement({ status: 429, headers }, { wallMs: 0 });

describe("the fields that Sluice writes for others", () => {
  const decision = (changes: Partial<Decision>): Decision => ({
    allowed: true,
    quota: "per-minute",
    limit: 60,
    remaining: 12,
    retryAfterMs: 0,
    resetAfterMs: 20_000,
    degraded: false,
    ...changes,
  });
  const minute = decision({});
  const refused = decision({ allowed: false, remaining: 0, retryAfterMs: 19_001 });
  const hour = decision({ quota: "per-hour", limit: 2000, remaining: 1450, resetAfterMs: 3_000_000 });
  const written = (headers: RateLimitDraft | false, binding: Decision, legacyHeaders = true) => {
    const list = httpHeaders([perMinute(60), perHour(2000)], { headers, legacyHeaders })(binding, [binding, hour]);
    return Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]!]] : [])));
  };
  const ofMinute = { limit: 60, remaining: 12, resetAfterMs: 20_000, windowMs: 60_000 };

  it.each([true, false])("are read in draft 11 (older fields too: %s)", (legacyHeaders) => {
    expect(read(written("draft-11", minute, legacyHeaders))).toEqual({
      limits: [
        { name: "per-minute", ...ofMinute },
        { name: "per-hour", limit: 2000, remaining: 1450, resetAfterMs: 3_000_000, windowMs: 3_600_000 },
      ],
    });
  });

  it.each(["draft-7", "draft-6"] as const)("are read in %s", (draft) => {
    for (const legacyHeaders of [true, false]) {
      expect(read(written(draft, minute, legacyHeaders))).toEqual({
        limits: [ofMinute, { limit: 2000, windowMs: 3_600_000 }],
      });
    }
  });

  it("are read without a draft, and in a refusal", () => {
    expect(read(written(false, minute)).limits).toEqual([{ limit: 60, remaining: 12, resetAfterMs: 20_000 }]);
    const statement = read(written("draft-11", refused));
    expect(statement.retryAfterMs).toBe(20_000);
    expect(statement.limits[0]).toEqual({ name: "per-minute", ...ofMinute, remaining: 0 });
  });

  it("are read whatever the numbers", () => {
    const number = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.double(), fc.maxSafeInteger());
    fc.assert(
      fc.property(
        number,
        number,
        number,
        fc.constantFrom("draft-11", "draft-7", "draft-6"),
        (remaining, a, b, draft) => {
          const one = decision({ remaining, resetAfterMs: a, retryAfterMs: b, allowed: false });
          const left = remaining > 0 ? Math.min(Math.floor(remaining), 999_999_999_999_999) : 0;
          expect(read(written(draft as RateLimitDraft, one)).limits[0]?.remaining).toBe(left);
        },
      ),
    );
  });
});
