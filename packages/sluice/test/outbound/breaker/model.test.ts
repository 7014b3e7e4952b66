import fc from "fast-check";
import { expect, it } from "vitest";
import { type Admission, type Breaker, createBreaker } from "../../../src/outbound/breaker/breaker.ts";
import type { Verdict } from "../../../src/outbound/breaker/verdict.ts";
import { BreakerModel, type ModelOptions } from "./model.ts";

interface Real {
  readonly breaker: Breaker;
  /** As in the model: one for each call that passed. */
  readonly admissions: Admission[];
}

type Command = fc.Command<BreakerModel, Real>;

function expectSame(model: BreakerModel, { breaker }: Real): void {
  const counted = model.counted();
  const part = (count: number) => (counted.length === 0 ? 0 : count / counted.length);
  expect(breaker.state(model.nowMs)).toEqual({
    state: model.state,
    generation: model.generation,
    calls: counted.length,
    failureRate: part(counted.filter(({ isFailure }) => isFailure).length),
    slowRate: part(counted.filter(({ isSlow }) => isSlow).length),
    ...(model.state === "open" && { openUntilMs: model.openUntilMs }),
  });
}

const call = (): Command => ({
  check: () => true,
  run(model, real) {
    const expected = model.admit();
    const admission = real.breaker.admit(model.nowMs);
    if (admission.pass) {
      expect({ passes: admission.isProbe ? "probe" : "call", generation: admission.generation }).toEqual({
        passes: expected,
        generation: model.generation,
      });
      real.admissions.push(admission);
    } else {
      expect(expected).toBe("no");
      expect(admission.retryAfterMs).toBeGreaterThan(0);
      if (model.state === "open") expect(admission.retryAfterMs).toBe(model.openUntilMs - model.nowMs);
    }
    expectSame(model, real);
  },
  toString: () => "call",
});

const end = (which: number, verdict: Verdict, durationMs: number): Command => ({
  check: (model) => model.calls.some(({ isOver }) => !isOver),
  run(model, real) {
    const under = model.calls.filter(({ isOver }) => !isOver);
    const chosen = under[which % under.length]!;
    model.settle(chosen, verdict, durationMs);
    real.breaker.settle(real.admissions[model.calls.indexOf(chosen)]!, verdict, durationMs, model.nowMs);
    expectSame(model, real);
  },
  toString: () => `end(${which}, ${verdict}, ${durationMs})`,
});

const wait = (ms: number): Command => ({
  check: () => true,
  run(model, real) {
    model.wait(ms);
    expectSame(model, real);
  },
  toString: () => `wait(${ms})`,
});

const options: fc.Arbitrary<ModelOptions> = fc.record({
  failureRate: fc.constantFrom(0.1, 0.3, 0.5, 0.7, 1),
  slowMs: fc.constantFrom(0, 100),
  slowRate: fc.constantFrom(0.4, 0.5, 1),
  minimumCalls: fc.integer({ min: 1, max: 5 }),
  windowMs: fc.constantFrom(1_000, 2_000),
  openMs: fc.constantFrom(300, 1_000),
  maxOpenMs: fc.constantFrom(1_000, 5_000),
  probes: fc.integer({ min: 1, max: 5 }),
  probeTimeoutMs: fc.constantFrom(200, 3_000),
});

const commands = fc.commands(
  [
    fc.constant(call()),
    fc.constant(call()),
    fc
      .tuple(
        fc.nat(),
        fc.constantFrom<Verdict>("success", "failure", "failure", "neither"),
        fc.constantFrom(0, 100, 101),
      )
      .map((args) => end(...args)),
    fc.oneof(fc.integer({ min: 1, max: 120 }), fc.constantFrom(300, 1_000, 4_000)).map(wait),
  ],
  { maxCommands: 200, size: "max" },
);

it("does what the rules say, in any order of calls, endings and pauses", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(options, commands, (chosen, run) => {
      const onChange = ({ from, to }: { from: string; to: string }) => {
        seen.set(`${from} > ${to}`, (seen.get(`${from} > ${to}`) ?? 0) + 1);
      };
      const breaker = createBreaker({ ...chosen, openJitter: 0, onChange });
      fc.modelRun(() => ({ model: new BreakerModel(chosen), real: { breaker, admissions: [] } }), run);
    }),
    { numRuns: 400 },
  );
  // The property is worth what it visits.
  expect([...seen.keys()].sort()).toEqual([
    "closed > open",
    "half-open > closed",
    "half-open > open",
    "open > half-open",
  ]);
  expect(Math.min(...seen.values())).toBeGreaterThan(10);
});

it("is never wedged: whatever happened, a call passes when the longest time that it may refuse is over", () => {
  fc.assert(
    fc.property(options, commands, fc.double({ min: 0, max: 0.999, noNaN: true }), (chosen, run, random) => {
      const model = new BreakerModel(chosen);
      const real: Real = { breaker: createBreaker({ ...chosen, openJitter: 0 }), admissions: [] };
      fc.modelRun(() => ({ model, real }), run);
      const longestMs = Math.max(chosen.maxOpenMs, chosen.probeTimeoutMs) * (1 + random);
      expect(real.breaker.admit(model.nowMs + longestMs).pass).toBe(true);
    }),
    { numRuns: 100 },
  );
});
