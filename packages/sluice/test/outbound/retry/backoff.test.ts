import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBackoff } from "../../../src/outbound/retry/backoff.ts";

/** 2^-53 below 1: the most that Math.random gives. */
const HIGHEST = 1 - 2 ** -53;
const anyRandom = fc.oneof(fc.constantFrom(0, HIGHEST), fc.double({ min: 0, max: HIGHEST, noNaN: true }));
const anyAttempt = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(1_000, 2 ** 31));
const anyMs = fc.oneof(
  fc.double({ min: 0, max: 1e6, noNaN: true }),
  fc.constantFrom(0, 1, 60_001, 86_400_000, 2 ** 31, 1e13),
);
const anyOptions = fc
  .record({
    baseMs: fc.double({ min: 0, max: 1_000, noNaN: true }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    more: fc.double({ min: 0, max: 100_000, noNaN: true }),
    toldJitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ more, ...options }) => ({ ...options, capMs: options.baseMs + more }));

describe("a wait that nobody asked for", () => {
  it("lies between 0 and a bound that doubles, up to the cap", () => {
    const longest = createBackoff({ random: () => HIGHEST });
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 100, 5_000].map((attempt) => Math.round(longest(attempt)!));
    expect(waits).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000, 10_000]);
    expect(createBackoff({ random: () => 0 })(3)).toBe(0);
    expect(createBackoff({ baseMs: 0 })(5_000)).toBe(0);
    expect(createBackoff({ random: () => 0.25 })(3)).toBe(200);
  });

  it("never leaves these bounds", () => {
    fc.assert(
      fc.property(anyOptions, anyAttempt, anyRandom, (options, attempt, random) => {
        const wait = createBackoff({ ...options, random: () => random })(attempt)!;
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(options.capMs);
        if (attempt === 1) expect(wait).toBeLessThanOrEqual(options.baseMs);
      }),
    );
  });
});

describe("a wait that the upstream asked for", () => {
  it("is never shortened, whatever the cap (undici: 30 s; OpenAI: 60 s; AWS: own wait + 5 s; 24.8 days)", () => {
    fc.assert(
      fc.property(anyOptions, anyAttempt, anyMs, anyRandom, (options, attempt, toldMs, random) => {
        const wait = createBackoff({ ...options, random: () => random })(attempt, { toldMs })!;
        expect(wait).toBeGreaterThanOrEqual(toldMs);
        const longest = Math.max(options.capMs, toldMs * (1 + options.toldJitter));
        expect(wait).toBeLessThanOrEqual(longest);
      }),
    );
  });

  it("gets a tenth of itself on top at most", () => {
    const [shortest, longest] = [createBackoff({ random: () => 0 }), createBackoff({ random: () => HIGHEST })];
    expect(shortest(1, { toldMs: 3_600_000 })).toBe(3_600_000);
    expect(longest(1, { toldMs: 3_600_000 })).toBeCloseTo(3_960_000, 3);
  });

  it("of 0, or of no time at all, does not make a wait of 0: the back-off goes on", () => {
    const backoff = createBackoff({ random: () => 0.5 });
    for (const toldMs of [0, Number.NaN, -5, undefined]) expect(backoff(3, { toldMs })).toBe(400);
  });

  it("of for ever is not waited for", () => {
    expect(createBackoff()(1, { toldMs: Infinity })).toBeUndefined();
  });
});

describe("a wait with an end", () => {
  it("ends in time and is not shorter than asked for, or there is none", () => {
    fc.assert(
      fc.property(anyOptions, anyAttempt, anyMs, anyMs, anyRandom, (options, attempt, toldMs, atMostMs, random) => {
        const wait = createBackoff({ ...options, random: () => random })(attempt, { toldMs, atMostMs });
        expect(wait === undefined).toBe(toldMs > atMostMs);
        expect(wait ?? toldMs).toBeGreaterThanOrEqual(toldMs);
        expect(wait ?? atMostMs).toBeLessThanOrEqual(atMostMs);
      }),
    );
  });

  it("spreads over the room that is left, instead of waiting for its very end", () => {
    const backoff = createBackoff({ random: () => 0.5 });
    expect(backoff(6, { atMostMs: 100 })).toBe(50);
    expect(backoff(6, { toldMs: 80, atMostMs: 100 })).toBe(90);
    expect(backoff(6, { atMostMs: -1 })).toBeUndefined();
  });
});

it.each([
  [{ baseMs: -1 }, "baseMs must be a number of milliseconds of at least 0, but it is -1."],
  [{ baseMs: 300, capMs: 200 }, "capMs must be a number of milliseconds of at least 300, but it is 200."],
  [{ capMs: Infinity }, "capMs must be finite"],
  [{ factor: 0.5 }, "factor must be a number of at least 1, but it is 0.5."],
  [{ toldJitter: 2 }, "toldJitter must be a number from 0 to 1, but it is 2."],
  [{ toldJitter: Number.NaN }, "toldJitter must be a number from 0 to 1, but it is NaN."],
])("refuses %j", (options, message) => {
  expect(() => createBackoff(options)).toThrow(message);
});
