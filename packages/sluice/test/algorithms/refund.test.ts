import fc from "fast-check";
import { type Algorithm, Mode, type State, slidingWindow, step, tokenBucket } from "sluice";
import { describe, expect, it } from "vitest";
import { seeded } from "./subjects.ts";

/**
 * Two worlds: in one a charge is made and handed back later, in the other it never was. In both the
 * same other charges are made. Handing back must not leave more than if the charge had never been.
 */
function isNeverMore(algorithm: Algorithm, longest: number, slack: number, random: () => number): boolean {
  const below = (end: number) => Math.floor(random() * end);
  let now = 1_000_000 + below(longest);
  const cost = 1 + below(algorithm.capacity);
  const charged = step(algorithm, undefined, now, cost);
  let real: State = charged.state;
  let ideal: State | undefined;
  for (let i = below(6); i > 0; i--) {
    now += [0, 1, below(longest), below(longest / 4)][below(4)]!;
    const units = 1 + below(algorithm.capacity);
    const taken = step(algorithm, real, now, units);
    real = taken.state;
    if (taken.allowed) ideal = step(algorithm, ideal, now, units, Mode.force).state;
  }
  now += below(longest);
  real = step(algorithm, real, now, -cost, Mode.take, charged.receipt).state;
  return [1, Math.ceil(algorithm.capacity / 2), algorithm.capacity].every((units) => {
    const asked = step(algorithm, real, now, units, Mode.peek);
    const expected = step(algorithm, ideal, now, units, Mode.peek);
    return asked.retryAfter >= expected.retryAfter - slack;
  });
}

describe("handing back a charge long after", () => {
  it.each([
    [
      "token bucket",
      1,
      (random: () => number) => {
        const [limit, burst] = [1 + Math.floor(random() * 50), 1 + Math.floor(random() * 20)];
        return {
          algorithm: tokenBucket({ limit, burst, periodMs: 60_000 }),
          longest: Math.ceil((burst * 6e7) / limit),
        };
      },
    ],
    [
      "sliding window",
      0,
      (random: () => number) => {
        const limit = 1 + Math.floor(random() * 20);
        return { algorithm: slidingWindow({ limit, periodMs: 60_000 }), longest: 60_000_000 };
      },
    ],
  ] as const)("never leaves more in a %s than if it had not been, but for %d µs", (_name, slack, make) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seeded(seed);
        const { algorithm, longest } = make(random);
        return isNeverMore(algorithm, longest, slack, random);
      }),
      { numRuns: 10_000, endOnFailure: true },
    );
  });
});

it("undoes a charge of a bucket wholly at once, and later what has not flowed back", () => {
  const algorithm = tokenBucket({ limit: 7, periodMs: 60_000, burst: 10 });
  const taken = step(algorithm, undefined, 1_000, 10);
  expect(step(algorithm, taken.state, 1_000, -10, Mode.take, taken.receipt)).toMatchObject({
    remaining: 10,
    resetAfter: 0,
  });
  const later = step(algorithm, taken.state, 60_001_000, 5);
  expect(later).toMatchObject({ allowed: true, remaining: 2 });
  // 7 of the 10 are back by themselves: 3 are left to hand back.
  expect(step(algorithm, later.state, 60_001_000, -10, Mode.take, taken.receipt)).toMatchObject({ remaining: 5 });
});

it("gives the newest units back without a receipt", () => {
  const algorithm = slidingWindow({ limit: 3, periodMs: 1 });
  const first = step(algorithm, undefined, 100, 2);
  const second = step(algorithm, first.state, 400, 1);
  const undone = step(algorithm, second.state, 500, -2);
  expect(step(algorithm, undone.state, 500, 3, Mode.peek).retryAfter).toBe(600);
});

it("names the nearest bucket that can be counted exactly", () => {
  expect(() => tokenBucket({ limit: 999_999_937, periodMs: 86_400_000 })).toThrow(
    "The nearest that fits: limit 1000000000.",
  );
  expect(() => tokenBucket({ limit: 1, periodMs: 86_400_000, burst: 1e9 })).toThrow(
    /limit \d+ with burst 1000000000\.|limit 1 with burst \d+\./,
  );
  const [, limit, burst] = /limit (\d+) with burst (\d+)\./.exec(messageOf(1, 1e9))!;
  expect(tokenBucket({ limit: Number(limit), periodMs: 86_400_000, burst: Number(burst) }).capacity).toBe(
    Number(burst),
  );
});

function messageOf(limit: number, burst: number): string {
  try {
    tokenBucket({ limit, periodMs: 86_400_000, burst });
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

it("takes long to come back from a debt that was forced, and not for ever", () => {
  const algorithm = tokenBucket({ limit: 1, periodMs: 1_000, burst: 2 });
  const forced = step(algorithm, undefined, 0, 5, Mode.force);
  expect(forced).toMatchObject({ allowed: true, remaining: 0, resetAfter: 5_000_000 });
  expect(step(algorithm, forced.state, 0, 1)).toMatchObject({ allowed: false, retryAfter: 4_000_000 });
  const most = step(algorithm, forced.state, 0, Number.MAX_SAFE_INTEGER, Mode.force);
  const { retryAfter } = step(algorithm, most.state, 0, 1);
  expect(step(algorithm, most.state, retryAfter, 1, Mode.peek).allowed).toBe(true);
  expect(step(algorithm, most.state, retryAfter - 1, 1, Mode.peek).allowed).toBe(false);
});
