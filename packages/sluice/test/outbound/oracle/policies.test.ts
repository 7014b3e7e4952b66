import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nanoseconds, type PolicyName, type PolicyOptions, policies } from "./policies.ts";
import { worstWindow } from "./windows.ts";

/** What a policy says to requests at these milliseconds: `+` or `-`. */
function answers(name: PolicyName, options: PolicyOptions, timesMs: readonly number[]): string {
  const judge = policies[name](options);
  return timesMs.map((ms) => (judge(nanoseconds(ms)).allowed ? "+" : "-")).join("");
}

const THREE = { limit: 3, periodMs: 1000 };

describe("sliding", () => {
  it("allows again exactly a period later, and not before", () => {
    expect(answers("sliding", THREE, [0, 100, 200, 999.999999, 1000, 1001, 1100, 1199, 1200])).toBe("+++-+-+-+");
  });

  it("sees through the edge of a fixed window", () => {
    expect(answers("sliding", THREE, [990, 991, 992, 1001, 1002, 1990])).toBe("+++--+");
  });
});

describe("fixed", () => {
  it("forgets everything at an edge", () => {
    expect(answers("fixed", THREE, [990, 991, 992, 993, 1001, 1002, 1003, 1004])).toBe("+++-+++-");
  });

  it("has its edges where the offset says", () => {
    expect(answers("fixed", { ...THREE, offsetMs: 300 }, [0, 1, 2, 3, 299, 300, 301, 302, 1299, 1300])).toBe(
      "+++--+++-+",
    );
  });
});

describe("bucket", () => {
  it("allows a burst, and then as much as drips in", () => {
    expect(answers("bucket", THREE, [5000, 5000, 5000, 5000, 5333, 5334, 5666, 5667, 6000])).toBe("+++--+-++");
  });

  it("holds no more than its burst", () => {
    expect(answers("bucket", { ...THREE, burst: 2 }, [0, 0, 0, 60_000, 60_000, 60_000])).toBe("++-++-");
  });

  it("lets nearly twice the limit through in one period", () => {
    const times = Array.from({ length: 1000 }, (_, ms) => ms);
    expect(answers("bucket", { limit: 10, periodMs: 1000 }, times).replaceAll("-", "")).toHaveLength(19);
  });
});

describe("gcra", () => {
  it("asks for spacing when there is no burst", () => {
    expect(answers("gcra", { limit: 4, periodMs: 1000, burst: 1 }, [100, 349.999, 350, 500, 600, 5000, 5249])).toBe(
      "+-+-++-",
    );
  });

  it("is a bucket otherwise", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 5 }), (all, limit, burst) => {
        let at = 0;
        const times = all.map((gap) => {
          at += gap;
          return at;
        });
        const options = { limit, periodMs: 1000, burst };
        expect(answers("gcra", options, times)).toBe(answers("bucket", options, times));
      }),
    );
  });
});

const requests = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 80 });

/** The times, in milliseconds, of requests that are so far apart. */
function timesOf(gaps: readonly number[]): readonly number[] {
  let at = 50;
  return gaps.map((gap) => {
    at += gap;
    return at;
  });
}

const names = Object.keys(policies) as PolicyName[];

describe.each(names)("%s", (name) => {
  it("allows everybody who keeps to the limit in any window", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 6 }), fc.nat(999), (gaps, limit, offsetMs) => {
        const well = policies.sliding({ limit, periodMs: 1000 });
        const times = timesOf(gaps).filter((ms) => well(nanoseconds(ms)).allowed);
        expect(answers(name, { limit, periodMs: 1000, offsetMs }, times)).toBe("+".repeat(times.length));
      }),
    );
  });

  it("finds one who does not", () => {
    expect(answers(name, { limit: 10, periodMs: 1000 }, Array(12).fill(100))).toBe("++++++++++--");
  });

  it("says when it allows one more, to the nanosecond", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 6 }), (gaps, limit) => {
        const options = { limit, periodMs: 1000 };
        const judge = policies[name](options);
        const again = [policies[name](options), policies[name](options)] as const;
        for (const ms of timesOf(gaps)) {
          const at = nanoseconds(ms);
          const { allowed, nextNs } = judge(at);
          for (const one of again) one(at);
          if (allowed) continue;
          expect(again[0](at + nextNs - 1n).allowed).toBe(false);
          expect(again[1](at + nextNs).allowed).toBe(true);
          return;
        }
      }),
    );
  });

  it("says how many more it would allow", () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 6 }), (gaps, limit) => {
        const judge = policies[name]({ limit, periodMs: 1000 });
        const times = timesOf(gaps);
        const { remaining } = times.map((ms) => judge(nanoseconds(ms))).at(-1)!;
        const more = Array.from({ length: 10 }, () => judge(nanoseconds(times.at(-1)!)).allowed);
        expect(more.filter(Boolean)).toHaveLength(remaining);
      }),
    );
  });
});

it("sliding, and it alone, allows never more than the limit in any window", () => {
  const worst = (name: PolicyName) => {
    const times = Array.from({ length: 300 }, (_, i) => 500 + i * 7);
    const judge = policies[name]({ limit: 10, periodMs: 1000, offsetMs: 40 });
    return worstWindow(
      times.filter((ms) => judge(nanoseconds(ms)).allowed),
      1000,
    );
  };
  expect(names.map((name) => [name, worst(name) > 10])).toEqual([
    ["sliding", false],
    ["fixed", true],
    ["bucket", true],
    ["gcra", true],
  ]);
});
