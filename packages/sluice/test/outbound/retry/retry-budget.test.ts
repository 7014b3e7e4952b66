import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRetryBudget } from "../../../src/outbound/retry/retry-budget.ts";

/** As many retries as there are at one moment. */
function takeAll(budget: { tryRetry(nowMs: number): boolean }, nowMs: number, most = 1_000): number {
  let taken = 0;
  while (taken < most && budget.tryRetry(nowMs)) taken++;
  return taken;
}

function start(budget: { started(nowMs: number): void }, calls: number, nowMs: number): void {
  for (let i = 0; i < calls; i++) budget.started(nowMs);
}

it("has one retry a second without calls, and one for every five calls", () => {
  const budget = createRetryBudget();
  expect(takeAll(budget, 0)).toBe(10);
  start(budget, 100, 0);
  expect(takeAll(budget, 0)).toBe(20);
  expect(takeAll(budget, 9_999)).toBe(0);
});

it("is not used up for good by one call that fails on and on (aws-sdk-js-v3#4754)", () => {
  const budget = createRetryBudget();
  let retries = 0;
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 250) if (budget.tryRetry(nowMs)) retries++;
  // A retry counts for 10 to 11 s: at least 10 in every 11 s.
  expect(retries).toBeGreaterThanOrEqual(Math.floor((3_600 / 11) * 10) - 10);
  expect(retries).toBeLessThanOrEqual(3_600 + 10);
});

it("forgets by the clock, not by the call: an hour of silence leaves nothing of what was before", () => {
  const budget = createRetryBudget();
  start(budget, 1_000, 0);
  expect(takeAll(budget, 3_600_000)).toBe(10);
  expect(takeAll(budget, 7_200_000)).toBe(10);
});

it("takes nothing when it refuses", () => {
  const budget = createRetryBudget({ minPerSecond: 0.1 });
  expect(takeAll(budget, 0)).toBe(1);
  for (let i = 0; i < 1_000; i++) budget.tryRetry(5_000);
  expect(budget.tryRetry(11_000)).toBe(true);
});

it("can have a part only, or a floor only, or nothing", () => {
  const [part, floor, nothing] = [
    createRetryBudget({ minPerSecond: 0 }),
    createRetryBudget({ ratio: 0, minPerSecond: 3, windowMs: 1_000 }),
    createRetryBudget({ ratio: 0, minPerSecond: 0 }),
  ];
  for (const budget of [part, floor, nothing]) start(budget, 10, 0);
  expect([part, floor, nothing].map((budget) => takeAll(budget, 0))).toEqual([2, 3, 0]);
});

describe("whatever the calls", () => {
  const steps = fc.array(
    fc.record({
      waitMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 12_000 }), fc.constant(0)),
      starts: fc.integer({ min: 0, max: 8 }),
      retries: fc.integer({ min: 0, max: 6 }),
    }),
    { minLength: 1, maxLength: 120 },
  );
  const options = fc.record({
    ratio: fc.constantFrom(0, 0.1, 0.2, 0.5, 1),
    minPerSecond: fc.constantFrom(0, 0.3, 1, 2),
    windowMs: fc.constantFrom(1_000, 7_777, 10_000),
  });

  it("the window that ends with a retry has no more of them than its calls and its floor pay for", () => {
    fc.assert(
      fc.property(steps, options, fc.integer({ min: 0, max: 5_000 }), (calls, chosen, beginMs) => {
        const budget = createRetryBudget(chosen);
        const [starts, retries]: [number[], number[]] = [[], []];
        let nowMs = beginMs;
        for (const call of calls) {
          nowMs += call.waitMs;
          for (let i = 0; i < call.starts; i++) starts.push(nowMs);
          start(budget, call.starts, nowMs);
          for (let i = 0; i < call.retries; i++) {
            if (!budget.tryRetry(nowMs)) continue;
            retries.push(nowMs);
            const within = (times: readonly number[]) => times.filter((t) => t > nowMs - chosen.windowMs).length;
            const paid = chosen.ratio * within(starts) + (chosen.minPerSecond * chosen.windowMs) / 1000;
            expect(within(retries)).toBeLessThanOrEqual(paid);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("what is paid for is there: no retry is refused that a shorter window of calls, and a longer one of retries, allows", () => {
    fc.assert(
      fc.property(steps, options, (calls, chosen) => {
        const budget = createRetryBudget(chosen);
        const [starts, retries]: [number[], number[]] = [[], []];
        let nowMs = 0;
        for (const call of calls) {
          nowMs += call.waitMs;
          for (let i = 0; i < call.starts; i++) starts.push(nowMs);
          start(budget, call.starts, nowMs);
          for (let i = 0; i < call.retries; i++) {
            const within = (times: readonly number[], windows: number) =>
              times.filter((t) => t > nowMs - windows * chosen.windowMs).length;
            const paid = chosen.ratio * within(starts, 0.9) + (chosen.minPerSecond * chosen.windowMs) / 1000;
            const isSure = within(retries, 1.1) + 1 <= paid;
            const isTaken = budget.tryRetry(nowMs);
            if (isTaken) retries.push(nowMs);
            if (isSure) expect(isTaken).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

it.each([
  [{ ratio: -1 }, "ratio must be a number of at least 0, but it is -1."],
  [{ minPerSecond: Number.NaN }, "minPerSecond must be a number of at least 0, but it is NaN."],
  [{ windowMs: 0 }, "windowMs must be a number of milliseconds of at least 1, but it is 0."],
])("refuses %j", (options, message) => {
  expect(() => createRetryBudget(options)).toThrow(message);
});
