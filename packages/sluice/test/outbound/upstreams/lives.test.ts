import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idealStarts } from "../oracle/windows.ts";
import { type LifeCall, type LivedCall, live } from "./life.ts";
import type { One } from "./world.ts";

type Started = LivedCall & { readonly start: number; readonly end: number };
type Scope = (call: LivedCall) => string;

const all: Scope = () => "";
const tenant: Scope = (call) => `${call.tenant}`;
const endpoint: Scope = (call) => `${call.endpoint}`;

/** The most that starts in any window `[t, t + windowMs)`, of one scope. */
const asStarted = (scope: Scope, windowMs: number) => (calls: readonly Started[]) =>
  Math.max(
    0,
    ...calls.map(({ start, ...one }) =>
      sum(
        calls.filter(
          (other) =>
            scope(other) === scope({ start, ...one }) && other.start >= start && other.start < start + windowMs,
        ),
      ),
    ),
  );
/** The most that is under way when a call starts, with what ended so long before, of one scope. */
const untilEnd = (scope: Scope, windowMs: number, units: (call: LivedCall) => number) => (calls: readonly Started[]) =>
  Math.max(
    0,
    ...calls.map((one) => {
      const counts = (other: Started) =>
        scope(other) === scope(one) &&
        other.startedAs! <= one.startedAs! &&
        (other.endedAs! > one.startedAs! || one.start < other.end + windowMs);
      return sum(calls.filter(counts), units);
    }),
  );
const sum = (calls: readonly LivedCall[], units = (call: LivedCall) => call.cost) =>
  calls.reduce((total, call) => total + units(call), 0);
/** The most in any second, given what is in the bucket: the burst, and what flows in. */
const asBucket = (burst: number, perSecond: number) => (calls: readonly Started[]) =>
  Math.max(
    0,
    ...calls.flatMap(({ start: from }) =>
      calls.map(({ start: to }) => {
        const between = calls.filter(({ start }) => start >= from && start <= to);
        return sum(between) - Math.floor(burst + (perSecond * Math.max(0, to - from)) / 1000 + 1e-6);
      }),
    ),
  );

const end = { anchor: "end" } as const;
const worlds: readonly [
  name: string,
  config: One,
  rules: readonly (readonly [(calls: readonly Started[]) => number, number])[],
][] = [
  ["one window", "5/s", [[asStarted(all, 1_000), 5]]],
  [
    "three windows",
    ["4/s", "9/3s", "20/10s"],
    [
      [asStarted(all, 1_000), 4],
      [asStarted(all, 3_000), 9],
      [asStarted(all, 10_000), 20],
    ],
  ],
  ["a window of granules, with calls that cost much", "110/s", [[asStarted(all, 1_000), 110]]],
  ["a bucket", "5/s burst 8", [[asBucket(8, 5), 0]]],
  [
    "a calendar",
    ["6/min", "30/day UTC"],
    [
      [asStarted(all, 60_000), 6],
      [
        (calls) =>
          Math.max(
            0,
            ...[0, 1, 2].map((day) => sum(calls.filter(({ start }) => Math.floor(start / 86_400_000) === day))),
          ),
        30,
      ],
    ],
  ],
  [
    "calls at once",
    { concurrency: 3, limit: "8/s" },
    [
      [untilEnd(all, 0, () => 1), 3],
      [asStarted(all, 1_000), 8],
    ],
  ],
  [
    "windows of tenants and endpoints",
    { limit: ["9/s", { rate: "3/s", per: "tenant" }, { rate: "8/3s", per: "endpoint" }] },
    [
      [asStarted(all, 1_000), 9],
      [asStarted(tenant, 1_000), 3],
      [asStarted(endpoint, 3_000), 8],
    ],
  ],
  ["windows from the end of calls", { limit: "5/s", ...end }, [[untilEnd(all, 1_000, ({ cost }) => cost), 5]]],
  [
    "windows of both kinds",
    { limit: [{ rate: "4/s", ...end, per: "tenant" }, "9/2s"], concurrency: 4 },
    [
      [untilEnd(tenant, 1_000, ({ cost }) => cost), 4],
      [asStarted(all, 2_000), 9],
      [untilEnd(all, 0, () => 1), 4],
    ],
  ],
  ["a pace", { limit: "6/2s", pace: "smooth" }, [[asStarted(all, 2_000), 6]]],
  [
    "attempts with a time limit",
    { limit: { rate: "4/s", ...end }, timeoutMs: 300, breaker: false },
    [[untilEnd(all, 1_000, ({ cost }) => cost), 4]],
  ],
];

const lifeCall: fc.Arbitrary<LifeCall> = fc.record({
  pause: fc.oneof(fc.constant(0), fc.nat({ max: 40 }), fc.nat({ max: 1_500 })),
  tenant: fc.nat({ max: 2 }),
  endpoint: fc.nat({ max: 1 }),
  cost: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat({ max: 3 }) }),
  priority: fc.constantFrom("high", "normal", "normal", "low"),
  took: fc.oneof(fc.constant(0), fc.nat({ max: 800 })),
  maxWaitMs: fc.option(fc.oneof(fc.constant(0), fc.nat({ max: 5_000 }))),
  leavesAfter: fc.option(fc.nat({ max: 2_500 }), { freq: 3 }),
  stall: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 2_500 }) }),
  fails: fc.constantFrom(false, false, false, true),
});
const life = fc.array(lifeCall, { minLength: 5, maxLength: 70 });
const OUTCOMES = ["made", "failed", "aborted", "deadline", "cancelled"];

describe("in random lives, with calls of all kinds, clocks that stall and callers that leave", () => {
  it.each(worlds)(
    "%s: no rule is ever broken, nobody overtakes who stands before him, and each call ends in one way",
    async (_name, config, rules) => {
      const factor = config === "110/s" ? 25 : 1;
      await fc.assert(
        fc.asyncProperty(life, async (calls) => {
          const dear = calls.map((one) => ({ ...one, cost: one.cost * factor }));
          const { lived, wrong, left } = await live(config, dear);
          expect(wrong).toEqual([]);
          expect(left).toEqual({ waiting: 0, running: 0, timers: 0 });
          const started = lived.filter((call): call is Started => call.start !== undefined);
          for (const call of lived) {
            expect(OUTCOMES).toContain(call.outcome);
            const wasMade = call.outcome !== "deadline" && call.outcome !== "cancelled";
            expect(call.start !== undefined).toBe(wasMade);
            if (wasMade) expect(call.start! - call.came).toBeLessThanOrEqual((call.maxWaitMs ?? Infinity) + 5);
          }
          for (const [most, allowed] of rules) expect(most(started)).toBeLessThanOrEqual(allowed);
        }),
        { numRuns: 25 },
      );
    },
    120_000,
  );

  it("whoever only waits for one window starts at the very moment that the rule allows", async () => {
    const plain = life.map((calls) =>
      calls.map((one) => ({
        ...one,
        tenant: 0,
        endpoint: 0,
        cost: 1,
        priority: "normal" as const,
        maxWaitMs: null,
        leavesAfter: null,
        stall: 0,
      })),
    );
    await fc.assert(
      fc.asyncProperty(plain, async (calls) => {
        const { lived } = await live("3/s", calls);
        const came = lived.map((call) => call.came);
        expect(lived.map(({ start }) => start)).toEqual(idealStarts(came, 3, 1_000));
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
