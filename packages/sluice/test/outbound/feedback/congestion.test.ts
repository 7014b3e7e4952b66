import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CongestionOptions,
  type CongestionState,
  createCongestion,
  cutCongestion,
  rateOf,
} from "../../../src/outbound/feedback/congestion.ts";

const options = fc.record<CongestionOptions>({
  factor: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
  floor: fc.double({ min: 0.001, max: 1, noNaN: true }),
  recoverMs: fc.integer({ min: 1, max: 10_000_000 }),
});
const refusals = fc.array(
  fc.record({ waitMs: fc.integer({ min: 0, max: 100_000 }), tookMs: fc.integer({ min: 0, max: 10_000 }) }),
  { minLength: 1, maxLength: 30 },
);

/** The state after refusals in turn, and the time. */
function after(list: readonly { waitMs: number; tookMs: number }[], settings: CongestionOptions) {
  let nowMs = 0;
  let state: CongestionState | undefined;
  for (const { waitMs, tookMs } of list) {
    nowMs += waitMs;
    state = cutCongestion(state, nowMs - tookMs, nowMs, settings);
  }
  return { state: state!, nowMs };
}

describe("the rate after refusals without a time", () => {
  it("is always above 0 and at most 1, never below the floor, and falls only by cuts", () => {
    fc.assert(
      fc.property(refusals, options, fc.array(fc.nat(1_000_000)), (list, settings, times) => {
        const { state, nowMs } = after(list, settings);
        let last = 0;
        for (const later of times.sort((one, other) => one - other)) {
          const rate = rateOf(state, nowMs + later, settings);
          expect(rate).toBeGreaterThanOrEqual(Math.min(settings.floor!, 1));
          expect(rate).toBeLessThanOrEqual(1);
          expect(rate).toBeGreaterThanOrEqual(last);
          last = rate;
        }
      }),
    );
  });

  it("is whole again after recoverMs, exactly, whatever happened before", () => {
    fc.assert(
      fc.property(refusals, options, (list, settings) => {
        const { state } = after(list, settings);
        expect(rateOf(state, state.cutAtMs + settings.recoverMs!, settings)).toBe(1);
        expect(rateOf(state, state.cutAtMs, settings)).toBe(state.rate);
      }),
    );
  });

  it("is cut by a refusal, and never raised by one", () => {
    fc.assert(
      fc.property(refusals, options, fc.nat(100_000), (list, settings, wait) => {
        const { state, nowMs } = after(list, settings);
        const before = rateOf(state, nowMs + wait, settings);
        const next = cutCongestion(state, nowMs + wait, nowMs + wait, settings);
        const rate = rateOf(next, nowMs + wait, settings);
        if (nowMs + wait <= state.cutAtMs) expect(next).toBe(state);
        else expect(rate).toBe(Math.min(before, Math.max(settings.floor!, before * settings.factor!)));
      }),
    );
  });

  it("is cut once by ten refusals of one burst", () => {
    const congestion = createCongestion();
    const cuts = Array.from({ length: 10 }, (_, i) => congestion.cut(100 + i, 200 + 10 * i));
    expect(cuts.filter(Boolean)).toHaveLength(1);
    expect(congestion.rate(300)).toBe(0.7);
    expect(congestion.cut(200, 300)).toBe(false);
    expect(congestion.cut(201, 301)).toBe(true);
    expect(congestion.rate(301)).toBeCloseTo(0.49);
  });

  it("does not freeze at the floor under refusals without end, and comes back when they stop", () => {
    const congestion = createCongestion({ floor: 0.1, recoverMs: 1000 });
    for (let nowMs = 0; nowMs < 100_000; nowMs += 10) congestion.cut(nowMs, nowMs);
    expect(congestion.rate(99_990)).toBe(0.1);
    expect(congestion.rate(100_990)).toBe(1);
  });

  it("comes back in steps: fast to where it was, slowly around it, and then to the whole", () => {
    const state: CongestionState = { cutAtMs: 0, rate: 0.42, peak: 0.6, cuts: 2 };
    const rates = Array.from({ length: 21 }, (_, step) => rateOf(state, step * 3000));
    expect(rates[0]).toBe(0.42);
    expect(rates[5]).toBeCloseTo(0.6 - 0.18 / 8);
    expect(rates[10]).toBe(0.6);
    expect(rates[15]).toBeCloseTo(0.6 + 0.4 / 8);
    expect(rates[20]).toBe(1);
    expect(rateOf(state, 2999)).toBe(rateOf(state, 0));
    expect(new Set(rates).size).toBe(21);
  });

  it("is kept in plain numbers, which may be kept elsewhere", () => {
    const congestion = createCongestion();
    expect(congestion.state).toBeUndefined();
    expect(congestion.rate(0)).toBe(1);
    congestion.cut(5, 10);
    const elsewhere = JSON.parse(JSON.stringify(congestion.state)) as CongestionState;
    expect(elsewhere).toEqual({ cutAtMs: 10, rate: 0.7, peak: 1, cuts: 1 });
    expect(rateOf(elsewhere, 20_000)).toBe(congestion.rate(20_000));
  });
});

describe("the pause after a cut", () => {
  it("is drawn up to a bound that doubles with each cut before the recovery, and has nothing to do with the rate", () => {
    let drawn = 1;
    const congestion = createCongestion({
      floor: 1,
      recoverMs: 1000,
      pauseMs: 250,
      maxPauseMs: 3000,
      random: () => drawn,
    });
    expect(congestion.pauseMs()).toBe(0);
    const bounds = [1, 2, 3, 4, 5].map((i) => {
      congestion.cut(i, i);
      return congestion.pauseMs();
    });
    expect(congestion.rate(5)).toBe(1);
    expect(bounds).toEqual([250, 250, 250, 250, 250]);

    const cutting = createCongestion({ pauseMs: 250, maxPauseMs: 3000, random: () => drawn });
    const growing = [1, 2, 3, 4, 5].map((i) => {
      cutting.cut(i, i);
      return cutting.pauseMs();
    });
    expect(growing).toEqual([250, 500, 1000, 2000, 3000]);
    drawn = 0.25;
    expect(cutting.pauseMs()).toBe(750);
    cutting.cut(70_000, 70_000);
    expect(cutting.pauseMs()).toBe(62.5);
  });

  it.each([
    [{ factor: 1 }, "factor must be between 0 and 1, but it is 1."],
    [{ factor: Number.NaN }, "factor"],
    [{ floor: 0 }, "floor must be above 0 and at most 1, but it is 0."],
    [{ recoverMs: Infinity }, "recoverMs must be a finite number of milliseconds above 0, but it is Infinity."],
    [{ pauseMs: 0 }, "pauseMs"],
    [{ maxPauseMs: -1 }, "maxPauseMs"],
  ])("%j is refused", (options, message) => {
    expect(() => createCongestion(options)).toThrow(message);
  });
});
