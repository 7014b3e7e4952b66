import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Admission, type Breaker, createBreaker } from "../../../src/outbound/breaker/breaker.ts";
import { type BreakerFacts, type BreakerPhase, joinFacts } from "../../../src/outbound/breaker/facts.ts";
import type { BreakerOptions } from "../../../src/outbound/breaker/options.ts";
import type { Verdict } from "../../../src/outbound/breaker/verdict.ts";

const exact = (options: BreakerOptions = {}) => createBreaker({ random: () => 0, ...options });

function calls(breaker: Breaker, verdict: Verdict, count: number, nowMs: number): void {
  for (let i = 0; i < count; i++) breaker.settle(breaker.admit(nowMs) as Admission, verdict, 0, nowMs);
}

const phase = fc.constantFrom<BreakerPhase>("closed", "open", "half-open");
const facts: fc.Arbitrary<BreakerFacts> = fc
  .record({ generation: fc.integer({ min: 0, max: 3 }), state: phase, openForMs: fc.integer({ min: 0, max: 3 }) })
  .map((one) => ({ ...one, openForMs: one.state === "open" ? one.openForMs : 0 }));

describe("what two know together", () => {
  it("does not depend on who tells whom, in which order, or how often", () => {
    fc.assert(
      fc.property(facts, facts, facts, (a, b, c) => {
        expect(joinFacts(a, b)).toEqual(joinFacts(b, a));
        expect(joinFacts(a, joinFacts(b, c))).toEqual(joinFacts(joinFacts(a, b), c));
        expect(joinFacts(a, a)).toEqual(a);
      }),
      { numRuns: 5_000 },
    );
  });

  it("is the later, then the more careful, then what ends first", () => {
    const closed = { generation: 4, state: "closed", openForMs: 0 } as const;
    const halfOpen = { generation: 4, state: "half-open", openForMs: 0 } as const;
    const open = { generation: 4, state: "open", openForMs: 50 } as const;
    expect(joinFacts(open, { ...closed, generation: 5 })).toEqual({ ...closed, generation: 5 });
    expect([joinFacts(closed, halfOpen), joinFacts(halfOpen, open), joinFacts(closed, open)]).toEqual([
      halfOpen,
      open,
      open,
    ]);
    expect(joinFacts(open, { ...open, openForMs: 40 })).toEqual({ ...open, openForMs: 40 });
  });
});

describe("a breaker that hears of another", () => {
  it("opens with it, and closes with it", () => {
    const [a, b] = [exact(), exact()];
    calls(a, "failure", 10, 0);
    b.adopt(a.facts(0), 1_000_000);
    expect(b.state(1_000_000)).toMatchObject({ state: "open", generation: 1, openUntilMs: 1_005_000 });
    calls(a, "success", 2, 5_000);
    b.adopt(a.facts(5_000), 1_005_000);
    expect(b.state(1_005_000)).toMatchObject({ state: "closed", generation: 3 });
  });

  it("does not hear calls of before", () => {
    const breaker = exact();
    const early = Array.from({ length: 20 }, () => breaker.admit(0) as Admission);
    breaker.adopt({ generation: 6, state: "closed", openForMs: 0 }, 0);
    for (const admission of early) breaker.settle(admission, "failure", 0, 0);
    expect(breaker.state(0)).toMatchObject({ state: "closed", generation: 6, calls: 0 });
  });

  it("does not take a call for a probe when it becomes half-open without a new generation", () => {
    const breaker = exact();
    const early = [breaker.admit(0) as Admission, breaker.admit(0) as Admission];
    breaker.adopt({ generation: 0, state: "half-open", openForMs: 0 }, 0);
    for (const admission of early) breaker.settle(admission, "success", 0, 0);
    expect(breaker.state(0)).toMatchObject({ state: "half-open", calls: 0 });
  });

  it("does not hear calls of the time when it was closed, when it opens without a new generation", () => {
    const breaker = exact();
    const early = Array.from({ length: 5 }, () => breaker.admit(0) as Admission);
    breaker.adopt({ generation: 0, state: "open", openForMs: 1_000 }, 0);
    for (const admission of early) breaker.settle(admission, "success", 0, 0);
    expect(breaker.state(0)).toMatchObject({ state: "open", generation: 0, calls: 0 });
  });

  it("tells nobody when only the generation is new", () => {
    const changes: unknown[] = [];
    const breaker = exact({ onChange: (change) => changes.push(change) });
    breaker.adopt({ generation: 6, state: "closed", openForMs: 0 }, 0);
    expect([breaker.state(0).generation, changes]).toEqual([6, []]);
  });

  it("does not back off further when it hears twice of one opening", () => {
    const breaker = exact();
    calls(breaker, "failure", 10, 0);
    breaker.adopt({ generation: 1, state: "open", openForMs: 4_000 }, 0);
    expect(breaker.state(0)).toMatchObject({ generation: 1, calls: 10, openUntilMs: 4_000 });
    calls(breaker, "failure", 2, 4_000);
    expect(breaker.state(4_000).openUntilMs).toBe(14_000);
  });

  it("says when the other one must be told, and only then", () => {
    const [old, young] = [exact(), exact()];
    calls(old, "failure", 10, 0);
    calls(old, "success", 2, 5_000);
    expect(young.adopt(old.facts(5_000), 5_000)).toBe(false);
    expect(young.adopt(old.facts(5_000), 5_000)).toBe(false);
    const started = exact();
    calls(started, "failure", 10, 5_000);
    expect(old.adopt(started.facts(5_000), 5_000)).toBe(true);
    expect(started.adopt(old.facts(5_000), 5_000)).toBe(false);
    expect(started.state(5_000)).toMatchObject({ state: "closed", generation: 3 });
    expect(old.adopt({} as BreakerFacts, 5_000)).toBe(false);
    expect(young.adopt({ generation: 3, state: "half-open", openForMs: 0 }, 5_000)).toBe(false);
    expect(young.adopt({ generation: 3, state: "closed", openForMs: 0 }, 5_000)).toBe(true);
    calls(old, "failure", 10, 5_000);
    expect(old.adopt({ ...old.facts(5_000), openForMs: 9_999 }, 5_000)).toBe(false);
    expect(old.adopt({ ...old.facts(5_000), openForMs: 1 }, 5_000)).toBe(false);
  });

  it("is not kept open by an echo of its own words", () => {
    const [a, b] = [exact(), exact()];
    calls(a, "failure", 10, 0);
    let nowMs = 0;
    // Each message takes 50 ms, and is answered at once.
    for (; nowMs < 5_000; nowMs += 50) {
      const [from, to] = nowMs % 100 === 0 ? [a, b] : [b, a];
      to.adopt(from.facts(nowMs), nowMs + 50);
    }
    expect([a.state(nowMs).state, b.state(5_050).state]).toEqual(["half-open", "half-open"]);
  });

  it("backs off further when the probes of the other failed", () => {
    const breaker = exact();
    breaker.adopt({ generation: 1, state: "open", openForMs: 5_000 }, 0);
    expect(breaker.state(5_000).state).toBe("half-open");
    breaker.adopt({ generation: 3, state: "open", openForMs: 10_000 }, 5_000);
    calls(breaker, "failure", 2, 15_000);
    expect(breaker.state(15_000).openUntilMs).toBe(35_000);
  });

  it("is open no longer than it could be by itself, and believes no nonsense", () => {
    const breaker = exact();
    const nonsense = [
      { generation: 5, state: "open", openForMs: Number.NaN },
      { generation: 5, state: "open", openForMs: Infinity },
      { generation: 5, state: "open", openForMs: -1 },
      { generation: 5, state: "ajar", openForMs: 0 },
      { generation: 5, state: "toString", openForMs: 0 },
      { generation: "5", state: "open", openForMs: 0 },
      { generation: Number.NaN, state: "open", openForMs: 0 },
      {},
    ];
    for (const one of nonsense) breaker.adopt(one as BreakerFacts, 0);
    expect(breaker.state(0)).toMatchObject({ state: "closed", generation: 0 });
    breaker.adopt({ generation: 1, state: "open", openForMs: 1e12 }, 0);
    expect(breaker.state(0).openUntilMs).toBe(72_000);
  });
});

describe("processes that lose, repeat and reorder messages", () => {
  const COUNT = 3;
  const who = fc.nat({ max: COUNT - 1 });
  const step = fc.oneof(
    fc.record({ do: fc.constant("call"), who, verdict: fc.constantFrom<Verdict>("success", "failure", "failure") }),
    fc.record({ do: fc.constant("tell"), who }),
    fc.record({ do: fc.constant("hear"), who, message: fc.nat() }),
    fc.record({ do: fc.constant("answer"), who, message: fc.nat() }),
    fc.record({ do: fc.constant("wait"), ms: fc.integer({ min: 1, max: 900 }) }),
  ) as fc.Arbitrary<{ do: string; who: number; verdict: Verdict; message: number; ms: number }>;

  it("never go back, and agree once they have heard each other", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: "max" }), (steps) => {
        // Their clocks have nothing in common.
        const clocks = [0, 1e6, 5e9];
        const breakers = clocks.map(() => exact({ minimumCalls: 2, openMs: 500, maxOpenMs: 2_000, probes: 2 }));
        const messages: BreakerFacts[] = [];
        let nowMs = 0;
        const time = (i: number) => nowMs + clocks[i]!;
        const generations = () => breakers.map((breaker, i) => breaker.facts(time(i)).generation);
        for (const one of steps) {
          const before = generations();
          const breaker = breakers[one.who]!;
          if (one.do === "wait") nowMs += one.ms;
          else if (one.do === "answer") {
            const other = one.message % COUNT;
            const isBehind = breaker.adopt(breakers[other]!.facts(time(other)), time(one.who));
            if (isBehind) expect(breakers[other]!.adopt(breaker.facts(time(one.who)), time(other))).toBe(false);
            expect(generations()[one.who]).toBe(generations()[other]);
          } else if (one.do === "tell") messages.push(breaker.facts(time(one.who)));
          else if (one.do === "hear" && messages.length > 0) {
            breaker.adopt(messages[one.message % messages.length]!, time(one.who));
          } else if (one.do === "call") {
            const admission = breaker.admit(time(one.who));
            if (admission.pass) breaker.settle(admission, one.verdict, 0, time(one.who));
          }
          generations().forEach((generation, i) => {
            expect(generation).toBeGreaterThanOrEqual(before[i]!);
          });
        }
        const last = breakers.map((breaker, i) => breaker.facts(time(i)));
        for (const [i, breaker] of breakers.entries()) for (const one of last) breaker.adopt(one, time(i));
        const all = breakers.map((breaker, i) => breaker.facts(time(i)));
        for (const one of all) {
          expect(one).toMatchObject({ generation: all[0]!.generation, state: all[0]!.state });
          expect(one.openForMs).toBeCloseTo(all[0]!.openForMs, 3);
        }
      }),
      { numRuns: 500 },
    );
  });
});
