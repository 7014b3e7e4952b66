import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Admission, type Interval, mostAtOnce, mostInWindow, violations } from "./checker.ts";

const MS = 1e6;
const WINDOW_MS = 100;

/** Straight from the definition: the window begins with the call of each, one after the other. */
function bruteForce(admissions: readonly Admission[], windowMs: number): number {
  const within = (s: number) =>
    admissions.filter(({ invoked, completed }) => invoked >= s && completed < s + windowMs * MS);
  return Math.max(0, ...admissions.map(({ invoked }) => within(invoked).reduce((sum, { cost }) => sum + cost, 0)));
}

const anAdmission = fc
  .record({
    invoked: fc.integer({ min: 0, max: 400 * MS }),
    took: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 * MS }), fc.integer({ min: 0, max: 300 * MS })),
    cost: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ invoked, took, cost }): Admission => ({ invoked, completed: invoked + took, cost }));

/** Times at which a limiter that does nothing wrong admits: each unit is free again after exactly one window. */
const honest = fc
  .record({ limit: fc.integer({ min: 1, max: 8 }), asked: fc.array(fc.integer({ min: 0, max: 40 * MS })) })
  .map(({ limit, asked }) => {
    const times: number[] = [];
    let now = 0;
    for (const pause of asked) {
      now += pause;
      if (times.filter((time) => time > now - WINDOW_MS * MS).length < limit) times.push(now);
    }
    return { limit, times };
  });

describe("the checker of windows", () => {
  it("agrees with the definition", () => {
    fc.assert(
      fc.property(fc.array(anAdmission, { maxLength: 60 }), (admissions) => {
        expect(mostInWindow(admissions, WINDOW_MS).weight).toBe(bruteForce(admissions, WINDOW_MS));
      }),
      { numRuns: 500 },
    );
  });

  it("raises no false alarm, however late calls are answered and however early they began", () => {
    const delays = fc.infiniteStream(fc.integer({ min: 0, max: 250 * MS }));
    fc.assert(
      fc.property(honest, delays, ({ limit, times }, delay) => {
        const widened = times.map((time) => ({
          invoked: time - delay.next().value!,
          completed: time + delay.next().value!,
          cost: 1,
        }));
        expect(violations(widened, [{ windowMs: WINDOW_MS, units: limit }])).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("finds a log that breaks the bound by one", () => {
    fc.assert(
      fc.property(honest, fc.nat(), fc.integer({ min: 0, max: MS }), ({ limit, times }, place, took) => {
        const full = Array.from({ length: limit + 1 }, (_, i) => ({
          invoked: place + i,
          completed: place + i + took,
          cost: 1,
        }));
        const others = times.map((time) => ({ invoked: time, completed: time, cost: 1 }));
        expect(violations([...others, ...full], [{ windowMs: WINDOW_MS, units: limit }])).toHaveLength(1);
      }),
    );
  });

  it("ends a window before the time that is one window later", () => {
    const pair = (apart: number) => [0, apart].map((time) => ({ invoked: time, completed: time, cost: 1 }));
    const bounds = [{ windowMs: WINDOW_MS, units: 1 }];
    expect(violations(pair(WINDOW_MS * MS), bounds)).toEqual([]);
    expect(violations(pair(WINDOW_MS * MS - 1), bounds)).toEqual([
      "2 units in the 100 ms from 0 ns on, but 1 are allowed",
    ]);
  });

  it("is quick with many calls", () => {
    const admissions = Array.from({ length: 200_000 }, (_, i) => ({ invoked: i, completed: i + 9, cost: 2 }));
    expect(mostInWindow(admissions, 1).weight).toBe(400_000);
  });
});

describe("the checker of places", () => {
  it("agrees with a count at the begin of each", () => {
    const anInterval = fc.tuple(fc.nat(50), fc.nat(20), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(fc.array(anInterval), (drawn) => {
        const places: Interval[] = drawn.map(([from, length, weight]) => ({ from, until: from + length, weight }));
        const at = (time: number) =>
          places.filter(({ from, until }) => from <= time && time < until).reduce((sum, { weight }) => sum + weight, 0);
        expect(mostAtOnce(places).weight).toBe(Math.max(0, ...places.map(({ from }) => at(from))));
      }),
      { numRuns: 500 },
    );
  });
});
