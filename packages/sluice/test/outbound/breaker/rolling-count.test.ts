import fc from "fast-check";
import { expect, it } from "vitest";
import { RollingCount } from "../../../src/outbound/breaker/rolling-count.ts";

it("counts what lies in the newest buckets, after any silence", () => {
  const step = fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 100_000 })),
    units: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 1, max: 12 }), fc.constantFrom(1, 7, 12.5), (steps, buckets, ms) => {
      const count = new RollingCount(ms, buckets);
      const added: { bucket: number; units: number }[] = [];
      let nowMs = 0;
      for (const { waitMs, units } of steps) {
        nowMs += waitMs;
        const bucket = Math.floor(nowMs / ms);
        if (units > 0) count.add(nowMs, units);
        added.push({ bucket, units });
        const expected = added.filter((one) => one.bucket > bucket - buckets).reduce((sum, one) => sum + one.units, 0);
        expect(count.total(nowMs)).toBe(expected);
      }
    }),
    { numRuns: 1_000 },
  );
});

it("takes an earlier time than before for the latest one, and no time for no time", () => {
  const count = new RollingCount(10, 2);
  count.add(100);
  count.add(50);
  count.add(Number.NaN);
  expect([count.total(100), count.total(119), count.total(120)]).toEqual([3, 3, 0]);
});
