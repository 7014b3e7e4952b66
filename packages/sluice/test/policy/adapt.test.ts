import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { type AdaptOptions, adaptation } from "../../src/policy/adapt.ts";

const call = () => ({ method: "tools/call", params: {} }) as never;

function scene(options: true | AdaptOptions = true) {
  const clock = manualClock();
  const levels: number[] = [];
  const one = adaptation(options, clock, (level) => levels.push(level));
  /** A window in which so many of ten answers are failures. */
  const window = (failures: number, everyMs = 10_000) => {
    for (let i = 0; i < 10; i++) one.saw(1, i < failures);
    clock.advanceSync(everyMs);
    return one.level;
  };
  return { clock, levels, one, window };
}

describe("a limit that adapts itself", () => {
  it("is lowered by a factor while too many answers are failures, and raised step by step afterwards", () => {
    const { window, levels } = scene();
    expect([1, 2, 5, 0, 0].map((failures) => window(failures))).toEqual([1, 0.7, 0.49, 0.54, 0.59]);
    expect(levels).toEqual([0.7, 0.49, 0.54, 0.59]);
  });

  it("is never lowered below the least part of it, and never raised above all of it", () => {
    const { window } = scene({ least: 0.4 });
    expect([9, 9, 9, 9].map((failures) => window(failures))).toEqual([0.7, 0.49, 0.4, 0.4]);
    for (let i = 0; i < 20; i++) window(0);
    expect(window(0)).toBe(1);
  });

  it("takes slow answers for failures", () => {
    const { clock, one } = scene({ slowMs: 100, tolerate: 0.5 });
    for (let i = 0; i < 10; i++) one.saw(i < 5 ? 101 : 100, false);
    clock.advanceSync(10_000);
    expect(one.level).toBe(1);
    for (let i = 0; i < 10; i++) one.saw(i < 6 ? 101 : 100, false);
    clock.advanceSync(10_000);
    expect(one.level).toBe(0.7);
  });

  it("learns nothing from a few answers, and recovers while nobody calls", () => {
    const { clock, one, window } = scene();
    window(9);
    for (let i = 0; i < 4; i++) one.saw(1, true);
    clock.advanceSync(10_000);
    expect(one.level).toBe(0.75);
    clock.advanceSync(30_000);
    expect(one.level).toBe(0.9);
  });

  it("makes calls cost as much more as it is lowered, in whole units, on average exactly", () => {
    const { one, window } = scene();
    expect(one.costOf(call(), 3)).toBe(3);
    window(9);
    const costs = Array.from({ length: 700 }, () => one.costOf(call(), 1));
    expect(costs.reduce((sum, cost) => sum + cost, 0)).toBe(1_000);
    expect(new Set(costs)).toEqual(new Set([1, 2]));
    const same = call();
    expect(new Set(Array.from({ length: 9 }, () => one.costOf(same, 1))).size).toBe(1);
  });

  it("rests for as long as the server asks, but not longer than a minute", () => {
    const { clock, one } = scene({ least: 0.2 });
    one.rest(30_000);
    expect(one.level).toBe(0.2);
    clock.advanceSync(29_999);
    for (let i = 0; i < 10; i++) one.saw(1, false);
    expect(one.level).toBe(0.2);
    clock.advanceSync(10_001);
    expect(one.level).toBe(0.25);
    one.rest(86_400_000);
    clock.advanceSync(70_000);
    expect(one.level).toBe(0.25);
  });

  it("is not confused by a clock that stands still or jumps", () => {
    const { clock, one, window } = scene();
    window(9);
    clock.advanceSync(1e12);
    expect(one.level).toBe(1);
    expect(window(9)).toBe(0.7);
  });

  it.each([
    [5, TypeError],
    [null, TypeError],
    [{ slowMs: 0 }, RangeError],
    [{ tolerate: 1 }, RangeError],
    [{ least: 0 }, RangeError],
    [{ everyMs: 1 }, RangeError],
    [{ least: Number.NaN }, RangeError],
  ])("cannot be %j", (options, error) => {
    expect(() => scene(options as never)).toThrow(error as typeof TypeError);
  });
});
