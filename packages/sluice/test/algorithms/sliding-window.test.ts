import fc from "fast-check";
import { type State, slidingWindow, step } from "sluice";
import { describe, expect, it } from "vitest";
import { seeded } from "./subjects.ts";

/** Somebody who takes a unit whenever one is there, and looks after every random pause: the times of what he got. */
function greedy(
  algorithm: ReturnType<typeof slidingWindow>,
  random: () => number,
  pause: number,
  calls: number,
): number[] {
  const times: number[] = [];
  let state: State = [];
  let now = 0;
  for (let i = 0; i < calls; i++) {
    const taken = step(algorithm, state, now, 1);
    state = taken.state;
    if (taken.allowed) times.push(now);
    now += taken.allowed ? Math.floor(random() * pause) : taken.retryAfter;
  }
  return times;
}

describe("what a busy window lets through", () => {
  it("is never less than the limit in a period and one granule, and never more than the limit in a period", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seeded(seed);
        const limit = 1 + Math.floor(random() * 60);
        const granules = 1 + Math.floor(random() * 10);
        const period = 1_000 + Math.floor(random() * 100_000);
        const pause = Math.floor((2 * period * random()) / limit) + 1;
        const times = greedy(slidingWindow({ limit, periodMs: period / 1000, granules }), random, pause, 300);
        const slack = Math.ceil(period / granules) - 1;
        // The pauses of the taker himself come on top of what the window withholds.
        for (let i = 0; i + limit < times.length; i++) {
          const span = times[i + limit]! - times[i]!;
          expect(span).toBeGreaterThanOrEqual(period);
          if (pause === 1) expect(span).toBeLessThanOrEqual(period + slack);
        }
      }),
      { numRuns: 3_000, endOnFailure: true },
    );
  });

  it.each([3, 5, 10, 100])(
    "is at least K / (K + 1) of the limit, with K = %d granules, at any spread of demand",
    (granules) => {
      const period = 1_000_000;
      const limit = 1_000;
      const algorithm = slidingWindow({ limit, periodMs: period / 1000, granules });
      for (let seed = 0; seed < 20; seed++) {
        const random = seeded(seed);
        let state: State = [];
        let passed = 0;
        const every = 20 + Math.floor(random() * 900);
        const periods = 20;
        for (let now = 0; now < periods * period; now += every) {
          const taken = step(algorithm, state, now, 1);
          state = taken.state;
          passed += taken.allowed ? 1 : 0;
        }
        const possible = Math.min(limit, Math.floor(period / (every + 1)));
        expect(passed / periods).toBeGreaterThanOrEqual((possible * granules) / (granules + 1));
        expect(passed).toBeLessThanOrEqual(periods * limit);
      }
    },
  );

  it.each([1, 3, 10])("is exact while at most K + 2 charges are remembered, K = %d", (granules) => {
    const algorithm = slidingWindow({ limit: granules + 2, periodMs: 1, granules });
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seeded(seed);
        const remembered: number[] = [];
        let state: State = [];
        let now = 0;
        for (let i = 0; i < 60; i++) {
          now += Math.floor(random() * 600);
          const live = remembered.filter((time) => time > now - 1000);
          const taken = step(algorithm, state, now, 1);
          expect(taken.allowed).toBe(live.length < granules + 2);
          if (!taken.allowed) expect(taken.retryAfter).toBe(live[0]! + 1000 - now);
          else remembered.push(now);
          state = taken.state;
        }
      }),
      { numRuns: 500, endOnFailure: true },
    );
  });
});

it.each([1, 3, 100, 5_000])(
  "remembers at most K + 2 charges, twice over while old ones lie in front, K = %d",
  (granules) => {
    const algorithm = slidingWindow({ limit: 1e6, periodMs: 1_000.001, granules });
    const random = seeded(7);
    let state: State = [];
    let now = 0;
    let longest = 0;
    for (let i = 0; i < 20_000; i++) {
      now += Math.floor(random() * 3000);
      state = step(algorithm, state, now, 1).state;
      longest = Math.max(longest, state.length);
    }
    expect(longest).toBeLessThanOrEqual(2 + 2 * 2 * (granules + 2));
  },
);

describe("handing back by receipt", () => {
  it("takes off the charge it names, not a newer one", () => {
    const algorithm = slidingWindow({ limit: 3, periodMs: 1 });
    const first = step(algorithm, undefined, 100, 2);
    const second = step(algorithm, first.state, 400, 1);
    const undone = step(algorithm, second.state, 500, -2, 0, first.receipt);
    expect(step(algorithm, undone.state, 500, 3, 1)).toMatchObject({ allowed: false, retryAfter: 900 });
    expect(step(algorithm, undone.state, 500, 2, 1).allowed).toBe(true);
  });

  it("finds the charge in the granule that it was merged into", () => {
    const algorithm = slidingWindow({ limit: 100, periodMs: 1, granules: 2 });
    let state: State = [];
    const receipts: number[] = [];
    for (let now = 1; now <= 40; now++) {
      const taken = step(algorithm, state, now, 1);
      state = taken.state;
      receipts.push(taken.receipt);
    }
    expect(state.length).toBeLessThan(20);
    for (const receipt of receipts) state = step(algorithm, state, 41, -1, 0, receipt).state;
    expect(step(algorithm, state, 41, 0, 1).remaining).toBe(100);
  });
});
