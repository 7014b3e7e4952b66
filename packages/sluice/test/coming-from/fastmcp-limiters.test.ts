import { createLimiter, type Limiter, memoryStore, tokenBucket } from "sluice";
import { type ManualClock, manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

// The two classes of FastMCP's `rate_limiting` module that hold the arithmetic. The expected answers are worked out
// by hand from what that module says it does.

interface Moment {
  /** Seconds since the start. */
  readonly at: number;
  readonly cost?: number;
  readonly allowed: boolean;
}

/** The answers at those moments, beside the moments. */
function answers(limiter: Limiter<"sync">, clock: ManualClock, moments: readonly Moment[]): readonly Moment[] {
  const start = clock.elapsed();
  return moments.map(({ at, cost, ...rest }) => {
    clock.advanceSync(at * 1000 - (clock.elapsed() - start) / 1000);
    const { allowed } = limiter.consume("the only key", cost);
    return { ...rest, at, ...(cost !== undefined && { cost }), allowed };
  });
}

function limiterFor(quota: string): { limiter: Limiter<"sync">; clock: ManualClock } {
  const clock = manualClock();
  return { clock, limiter: createLimiter({ quota, store: memoryStore({ clock }) }) };
}

describe("TokenBucketRateLimiter(capacity=5, refill_rate=2)", () => {
  const quota = "2/s burst 5";

  it("is full at first, and then gives two tokens a second", () => {
    const { limiter, clock } = limiterFor(quota);
    const expected: Moment[] = [
      { at: 0, allowed: true },
      { at: 0, allowed: true },
      { at: 0, allowed: true },
      { at: 0, allowed: true },
      { at: 0, allowed: true },
      { at: 0, allowed: false },
      { at: 0.499, allowed: false }, // 0.998 tokens
      { at: 0.5, allowed: true }, // 1 token
      { at: 0.5, allowed: false },
      { at: 1.25, allowed: true }, // 1.5 tokens
      { at: 1.25, allowed: false }, // 0.5 left
      { at: 1.5, allowed: true }, // and another 0.5
      { at: 1.5, allowed: false },
    ];
    expect(answers(limiter, clock, expected)).toEqual(expected);
  });

  it("never holds more than its capacity", () => {
    const { limiter, clock } = limiterFor(quota);
    const expected: Moment[] = [
      { at: 0, cost: 5, allowed: true },
      { at: 3600, cost: 5, allowed: true },
      { at: 3600, cost: 1, allowed: false },
    ];
    expect(answers(limiter, clock, expected)).toEqual(expected);
  });

  it("consume(tokens) takes all of them or none", () => {
    const { limiter, clock } = limiterFor(quota);
    const expected: Moment[] = [
      { at: 0, cost: 3, allowed: true },
      { at: 0, cost: 3, allowed: false }, // two are left, and stay
      { at: 0, cost: 2, allowed: true },
      { at: 1.4, cost: 3, allowed: false }, // 2.8 tokens
      { at: 1.5, cost: 3, allowed: true },
    ];
    expect(answers(limiter, clock, expected)).toEqual(expected);
  });

  it("refused calls take nothing, and do not delay the next token", () => {
    const { limiter, clock } = limiterFor(quota);
    limiter.consume("the only key", 5);
    const refused = Array.from({ length: 499 }, (_, i): Moment => ({ at: (i + 1) / 1000, allowed: false }));
    const expected: Moment[] = [...refused, { at: 0.5, allowed: true }];
    expect(answers(limiter, clock, expected)).toEqual(expected);
  });

  it("is the same bucket, written as an algorithm", () => {
    expect(limiterFor(quota).limiter.quotas[0]!.algorithm.params).toEqual(
      tokenBucket({ limit: 2, periodMs: 1000, burst: 5 }).params,
    );
  });

  it("says more than yes and no: what is left, and when the refused cost fits", () => {
    const { limiter } = limiterFor(quota);
    expect(limiter.consume("k", 3)).toMatchObject({ allowed: true, limit: 5, remaining: 2, retryAfterMs: 0 });
    expect(limiter.consume("k", 3)).toMatchObject({ allowed: false, remaining: 2, retryAfterMs: 500 });
    expect(limiter.consume("k", 6)).toMatchObject({ allowed: false, retryAfterMs: Infinity });
  });

  it.each([-5, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "does not take %s tokens, where a negative number would fill the bucket",
    (cost) => {
      expect(() => limiterFor(quota).limiter.consume("k", cost)).toThrow(
        `A cost is a whole number of units, 0 or more, but it is ${cost}.`,
      );
    },
  );
});

describe("SlidingWindowRateLimiter(max_requests=3, window_seconds=10)", () => {
  const quota = "3/10s";

  it("lets three calls through in any ten seconds, and does not record those it denies", () => {
    const { limiter, clock } = limiterFor(quota);
    const expected: Moment[] = [
      { at: 0, allowed: true },
      { at: 2, allowed: true },
      { at: 4, allowed: true },
      { at: 5, allowed: false },
      { at: 9, allowed: false },
      { at: 10.001, allowed: true }, // the call at 0 is over; had those at 5 and 9 been recorded, this one would fail
      { at: 11, allowed: false }, // 2, 4 and 10
      { at: 12.001, allowed: true },
      { at: 13, allowed: false },
      { at: 14.001, allowed: true },
    ];
    expect(answers(limiter, clock, expected)).toEqual(expected);
  });

  it("is a window that slides, not one that starts anew", () => {
    const { limiter, clock } = limiterFor(quota);
    const expected: Moment[] = [
      { at: 9, allowed: true },
      { at: 9.5, allowed: true },
      { at: 9.9, allowed: true },
      { at: 10.1, allowed: false },
      { at: 18.9, allowed: false },
      { at: 19.001, allowed: true },
    ];
    expect(answers(limiter, clock, expected)).toEqual(expected);
  });

  it("says when the next call passes: when the oldest one is over", () => {
    const { limiter, clock } = limiterFor(quota);
    for (const _ of "abc") {
      limiter.consume("k");
      clock.advanceSync(1000);
    }
    expect(limiter.consume("k")).toMatchObject({ allowed: false, limit: 3, remaining: 0, retryAfterMs: 7000 });
    clock.advanceSync(7000);
    expect(limiter.consume("k").allowed).toBe(true);
  });
});
