import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idealMs, idealStarts, worstWindow } from "./windows.ts";

describe("worstWindow", () => {
  it.each([
    ["nothing", [], 0],
    ["one", [5], 1],
    ["two at the same moment", [5, 5], 2],
    ["two a window apart are in no window together", [0, 1000], 1],
    ["two almost a window apart are", [0, 999.999], 2],
    ["twice the limit across an edge", [990, 991, 992, 1001, 1002, 1003], 6],
    ["the fullest window is neither the first nor the last", [0, 1500, 1600, 1700, 4000], 3],
    ["in any order", [1700, 0, 4000, 1500, 1600], 3],
    ["equal spacing", [0, 250, 500, 750, 1000, 1250, 1500], 4],
  ])("%s", (_what, stamps, worst) => {
    expect(worstWindow(stamps, 1000)).toBe(worst);
  });

  it("finds what counting each window by itself finds", () => {
    const stamps = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 40 });
    fc.assert(
      fc.property(stamps, fc.integer({ min: 1, max: 60 }), (all, windowMs) => {
        const counts = all.map((begin) => all.filter((one) => one >= begin && one < begin + windowMs).length);
        expect(worstWindow(all, windowMs)).toBe(Math.max(0, ...counts));
      }),
    );
  });

  it("leaves the stamps as they are", () => {
    const stamps = [3, 1, 2];
    worstWindow(stamps, 10);
    expect(stamps).toEqual([3, 1, 2]);
  });
});

describe("idealStarts and idealMs", () => {
  it("starts a call when it comes, or a window after the one that stood so many before it", () => {
    expect(idealStarts([0, 0, 0, 950, 1100], 2, 1000)).toEqual([0, 0, 1000, 1000, 2000]);
    expect(idealStarts([0, 900, 900, 900], 2, 1000)).toEqual([0, 900, 1000, 1900]);
  });

  it.each([
    [0, 0],
    [1, 0],
    [10, 0],
    [11, 1000],
    [20, 1000],
    [21, 2000],
    [1000, 99_000],
  ])("%i jobs at once take %i ms", (jobs, ms) => {
    expect(idealMs(jobs, 10, 1000)).toBe(ms);
    expect(idealStarts(Array(jobs).fill(0), 10, 1000).at(-1) ?? 0).toBe(ms);
  });

  it("is as full as it may be, and never fuller", () => {
    const arrivals = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 10 }), (all, limit) => {
        const starts = idealStarts(all, limit, 1000);
        expect(worstWindow(starts, 1000)).toBeLessThanOrEqual(limit);
        const sorted = [...all].sort((a, b) => a - b);
        const delayed = starts.filter((start, i) => start > sorted[i]!);
        for (const start of delayed) {
          // A moment earlier would have been one too many.
          expect(starts.filter((one) => one > start - 1001 && one < start).length).toBeGreaterThanOrEqual(limit);
        }
      }),
    );
  });
});
