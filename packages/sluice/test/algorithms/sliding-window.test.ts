import fc from "fast-check";
import { type Algorithm, type State, slidingWindow, step } from "sluice";
import { describe, expect, it } from "vitest";
import { seeded } from "./subjects.ts";

interface Greedy {
  readonly times: readonly number[];
  /** When he was refused for the first time: from then on he takes every unit the moment it is there. */
  readonly saturatedAt: number;
}

/** Somebody who takes units after random pauses, and once he has been refused as soon as ever they come back. */
function greedy(algorithm: Algorithm, random: () => number, pause: number, calls: number): Greedy {
  const times: number[] = [];
  let saturatedAt = Infinity;
  let state: State = [];
  let now = 0;
  for (let i = 0; i < calls; i++) {
    const taken = step(algorithm, state, now, 1);
    state = taken.state;
    if (taken.allowed) times.push(now);
    else saturatedAt = Math.min(saturatedAt, now);
    const isHasty = saturatedAt < Infinity || times.length >= 2 * algorithm.capacity;
    now += taken.allowed ? (isHasty ? 0 : Math.floor(random() * pause)) : taken.retryAfter;
  }
  return { times, saturatedAt };
}

describe("what a busy window lets through", () => {
  it("is never more than the limit in a period, and never less in a period and one granule", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seeded(seed);
        const limit = 1 + Math.floor(random() * 60);
        const granules = 1 + Math.floor(random() * 10);
        const period = 1_000 + Math.floor(random() * 100_000);
        const pause = Math.floor((2 * period * random()) / limit) + 1;
        const algorithm = slidingWindow({ limit, periodMs: period / 1000, granules });
        const { times, saturatedAt } = greedy(algorithm, random, pause, 300);
        const slowest = period + Math.ceil(period / granules) - 1;
        return times.every((time, i) => {
          const next = times[i + limit];
          if (next === undefined) return true;
          return next - time >= period && (next - time <= slowest || time + slowest < saturatedAt);
        });
      }),
      { numRuns: 10_000, endOnFailure: true },
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
          if (taken.allowed !== live.length < granules + 2) return false;
          if (taken.allowed) remembered.push(now);
          else if (taken.retryAfter !== live[0]! + 1000 - now) return false;
          state = taken.state;
        }
        return true;
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
