import { describe, expect, it, vi } from "vitest";
import { type Admission, type Breaker, createBreaker } from "../../../src/outbound/breaker/breaker.ts";
import type { BreakerChange, BreakerOptions } from "../../../src/outbound/breaker/options.ts";
import type { Verdict } from "../../../src/outbound/breaker/verdict.ts";

const exact = (options: BreakerOptions = {}) => createBreaker({ random: () => 0, ...options });

function admitted(breaker: Breaker, nowMs: number): Admission {
  const admission = breaker.admit(nowMs);
  if (!admission.pass) throw new Error(`refused for ${admission.retryAfterMs} ms`);
  return admission;
}

/** Calls that end as they start. */
function calls(breaker: Breaker, verdict: Verdict, count: number, nowMs: number, durationMs = 0): void {
  for (let i = 0; i < count; i++) breaker.settle(admitted(breaker, nowMs), verdict, durationMs, nowMs);
}

/** A breaker that opened at 0, until 5,000. */
function opened(options: BreakerOptions = {}): Breaker {
  const breaker = exact(options);
  calls(breaker, "failure", 10, 0);
  return breaker;
}

describe("closed", () => {
  it("opens when half of ten calls failed, and not before there are ten", () => {
    const breaker = exact();
    calls(breaker, "failure", 5, 0);
    calls(breaker, "success", 4, 0);
    expect(breaker.state(0)).toMatchObject({ state: "closed", calls: 9, failureRate: 5 / 9 });
    calls(breaker, "success", 1, 0);
    expect(breaker.state(0)).toMatchObject({ state: "open", calls: 10, failureRate: 0.5, openUntilMs: 5_000 });
  });

  it("stays closed below the rate", () => {
    const breaker = exact();
    for (let i = 0; i < 1_000; i++) {
      calls(breaker, "success", 6, i);
      calls(breaker, "failure", 5, i);
    }
    expect(breaker.state(1_000).state).toBe("closed");
  });

  it("counts neither 429 nor 4xx nor cancelled calls", () => {
    const breaker = exact();
    calls(breaker, "neither", 1_000, 0);
    calls(breaker, "failure", 9, 0);
    expect(breaker.state(0)).toMatchObject({ state: "closed", calls: 9 });
    calls(breaker, "failure", 1, 0);
    expect(breaker.state(0).state).toBe("open");
  });

  it("opens when calls are slow, those that fail slowly too", () => {
    const breaker = exact({ slowMs: 100, slowRate: 0.8 });
    calls(breaker, "success", 2, 0, 100);
    calls(breaker, "success", 5, 0, 101);
    calls(breaker, "failure", 2, 0, 5_000);
    expect(breaker.state(0)).toMatchObject({ state: "closed", slowRate: 7 / 9 });
    calls(breaker, "success", 1, 0, 101);
    expect(breaker.state(0)).toMatchObject({ state: "open", slowRate: 0.8 });
  });

  it("calls nothing slow without a bound", () => {
    const breaker = exact();
    calls(breaker, "success", 1_000, 0, 1e9);
    expect(breaker.state(0)).toMatchObject({ state: "closed", slowRate: 0 });
  });

  it("forgets by the clock, not by the call: after an hour of silence old failures do not count (cockatiel)", () => {
    const breaker = exact({ minimumCalls: 11 });
    calls(breaker, "failure", 10, 0);
    calls(breaker, "failure", 1, 3_600_000);
    expect(breaker.state(3_600_000)).toMatchObject({ state: "closed", calls: 1 });
  });

  it("looks at the last ten seconds only", () => {
    const breaker = exact();
    calls(breaker, "failure", 9, 500);
    expect(breaker.state(9_999).calls).toBe(9);
    expect(breaker.state(10_000).calls).toBe(0);
    calls(breaker, "failure", 9, 10_000);
    expect(breaker.state(10_000).state).toBe("closed");
  });
});

describe("open", () => {
  it("refuses every call, and says for how long", () => {
    const breaker = opened();
    expect(breaker.admit(0)).toEqual({ pass: false, retryAfterMs: 5_000 });
    expect(breaker.admit(4_999.5)).toEqual({ pass: false, retryAfterMs: 0.5 });
    expect(breaker.admit(5_000)).toMatchObject({ pass: true, isProbe: true });
  });

  it("lasts twice as long each time that the probes fail, up to a minute, and the first time again after it was closed", () => {
    const breaker = opened();
    const lengths: number[] = [];
    let nowMs = 0;
    for (let i = 0; i < 6; i++) {
      const { openUntilMs } = breaker.state(nowMs);
      lengths.push(openUntilMs! - nowMs);
      nowMs = openUntilMs!;
      calls(breaker, "failure", 2, nowMs);
    }
    expect(lengths).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    nowMs = breaker.state(nowMs).openUntilMs!;
    calls(breaker, "success", 2, nowMs);
    calls(breaker, "failure", 10, nowMs);
    expect(breaker.state(nowMs).openUntilMs! - nowMs).toBe(5_000);
  });

  it("lasts a little longer by chance, never shorter", () => {
    expect(opened({ random: () => 0.999_999 }).state(0).openUntilMs).toBeCloseTo(6_000, 1);
    expect(opened({ random: () => 0.5, openJitter: 1 }).state(0).openUntilMs).toBe(7_500);
  });

  it("does not hear calls that were under way when it opened", () => {
    const breaker = exact();
    const early = Array.from({ length: 30 }, () => admitted(breaker, 0));
    for (const admission of early) breaker.settle(admission, "failure", 0, 1);
    expect(breaker.state(1)).toMatchObject({ state: "open", generation: 1, openUntilMs: 5_001, calls: 10 });
  });
});

describe("half-open", () => {
  it("admits three probes and no more", () => {
    const breaker = opened();
    const passed = Array.from({ length: 5 }, () => breaker.admit(5_000).pass);
    expect(passed).toEqual([true, true, true, false, false]);
  });

  it("is not closed by a success that started before it opened (opossum)", () => {
    const breaker = exact();
    const early = Array.from({ length: 20 }, () => admitted(breaker, 0));
    calls(breaker, "failure", 10, 0);
    expect(breaker.state(5_000).state).toBe("half-open");
    for (const admission of early) breaker.settle(admission, "success", 5_000, 5_000);
    expect(breaker.state(5_000)).toMatchObject({ state: "half-open", calls: 0 });
  });

  it("is not opened by a probe of an earlier time", () => {
    const breaker = opened();
    const old = [admitted(breaker, 5_000), admitted(breaker, 5_000), admitted(breaker, 5_000)];
    breaker.settle(old[0]!, "failure", 0, 5_000);
    breaker.settle(old[1]!, "failure", 0, 5_000);
    expect(breaker.state(15_000).state).toBe("half-open");
    breaker.settle(old[2]!, "failure", 10_000, 15_000);
    expect(breaker.state(15_000)).toMatchObject({ state: "half-open", calls: 0 });
    expect(Array.from({ length: 4 }, () => breaker.admit(15_000).pass)).toEqual([true, true, true, false]);
  });

  it("is decided by the part that fails, not by the first probe (opossum#613, cockatiel#73)", () => {
    const breaker = opened();
    calls(breaker, "failure", 1, 5_000);
    expect(breaker.state(5_000).state).toBe("half-open");
    calls(breaker, "success", 1, 5_000);
    expect(breaker.state(5_000)).toMatchObject({ state: "half-open", failureRate: 0.5, calls: 2 });
    calls(breaker, "success", 1, 5_000);
    expect(breaker.state(5_000)).toMatchObject({ state: "closed", generation: 3 });
  });

  it("decides as soon as the probes that are left could not change it", () => {
    const [good, bad] = [opened({ probes: 10 }), opened({ probes: 10 })];
    calls(good, "success", 5, 5_000);
    expect(good.state(5_000).state).toBe("half-open");
    calls(good, "success", 1, 5_000);
    expect(good.state(5_000).state).toBe("closed");
    calls(bad, "failure", 5, 5_000);
    expect(bad.state(5_000).state).toBe("open");
  });

  it("opens when the probes are slow", () => {
    const breaker = opened({ slowMs: 100, slowRate: 0.5 });
    calls(breaker, "success", 2, 5_000, 101);
    expect(breaker.state(5_000).state).toBe("open");
  });

  it("gives the place of a probe that is neither to another, however many there are", () => {
    const breaker = opened();
    calls(breaker, "neither", 100, 5_000);
    expect(breaker.state(5_000)).toMatchObject({ state: "half-open", calls: 0 });
    expect(Array.from({ length: 4 }, () => breaker.admit(5_000).pass)).toEqual([true, true, true, false]);
  });

  it("is not wedged by probes that never end: their places are free after a while", () => {
    const breaker = opened();
    for (const nowMs of [5_000, 5_000, 6_000]) admitted(breaker, nowMs);
    expect(breaker.admit(34_999)).toEqual({ pass: false, retryAfterMs: 1 });
    expect(breaker.admit(5_001)).toEqual({ pass: false, retryAfterMs: 5_000 });
    expect([breaker.admit(35_000).pass, breaker.admit(35_000).pass, breaker.admit(35_000).pass]).toEqual([
      true,
      true,
      false,
    ]);
    expect(breaker.admit(36_000).pass).toBe(true);
  });

  it("hears a probe that took longer than its place: an upstream that is slow can be found well", () => {
    const breaker = opened();
    const slow = [admitted(breaker, 5_000), admitted(breaker, 5_000)];
    admitted(breaker, 40_000);
    for (const probe of slow) breaker.settle(probe, "success", 60_000, 65_000);
    expect(breaker.state(65_000).state).toBe("closed");
  });

  it("hears each probe once", () => {
    const breaker = opened();
    const probe = admitted(breaker, 5_000);
    breaker.settle(probe, "failure", 0, 5_000);
    breaker.settle(probe, "failure", 0, 5_000);
    expect(breaker.state(5_000)).toMatchObject({ state: "half-open", calls: 1 });
  });

  it("stays half-open while nobody calls", () => {
    const breaker = opened();
    calls(breaker, "success", 1, 5_000);
    expect(breaker.state(3_600_000)).toMatchObject({ state: "half-open", calls: 1, failureRate: 0 });
  });

  it("begins anew when it closes: what was counted before is over", () => {
    const breaker = opened();
    calls(breaker, "success", 2, 5_000);
    calls(breaker, "failure", 9, 5_000);
    expect(breaker.state(5_000)).toMatchObject({ state: "closed", calls: 9 });
  });
});

describe("those who listen", () => {
  it("hear of every change, with its cause", () => {
    const changes: BreakerChange[] = [];
    const breaker = opened({ onChange: (change) => changes.push(change) });
    breaker.state(5_000);
    calls(breaker, "success", 2, 5_000);
    breaker.adopt({ generation: 9, state: "open", openForMs: 100 }, 5_000);
    expect(changes).toEqual([
      { from: "closed", to: "open", generation: 1, cause: "outcomes", openForMs: 5_000 },
      { from: "open", to: "half-open", generation: 2, cause: "time", openForMs: 0 },
      { from: "half-open", to: "closed", generation: 3, cause: "outcomes", openForMs: 0 },
      { from: "closed", to: "open", generation: 9, cause: "adopted", openForMs: 100 },
    ]);
  });

  it("may ask the breaker at once, and do no harm when they throw", () => {
    const silent = vi.spyOn(console, "error").mockImplementation(() => {});
    const seen: string[] = [];
    const breaker: Breaker = exact({
      onChange: () => {
        seen.push(breaker.state(0).state);
        throw new Error("listener");
      },
    });
    calls(breaker, "failure", 10, 0);
    expect(seen).toEqual(["open"]);
    expect(breaker.admit(1).pass).toBe(false);
    expect(silent).toHaveBeenCalledOnce();
    silent.mockRestore();
  });
});

it.each<readonly [BreakerOptions, string]>([
  [{ failureRate: 0 }, "failureRate must be a number above 0 and up to 1, such as 0.5, but it is 0."],
  [{ slowRate: 50 }, "slowRate must be a number above 0 and up to 1, such as 0.5, but it is 50."],
  [{ slowMs: -1 }, "slowMs must be a number of milliseconds of at least 0, but it is -1."],
  [{ minimumCalls: 0 }, "minimumCalls must be a whole number of at least 1, but it is 0."],
  [{ windowMs: 0 }, "windowMs must be a number of milliseconds of at least 1, but it is 0."],
  [{ openMs: Number.NaN }, "openMs must be a number of milliseconds of at least 1, but it is NaN."],
  [{ openMs: 100_000 }, "maxOpenMs must be a number of milliseconds of at least 100000, but it is 60000."],
  [{ openJitter: 2 }, "openJitter must be a number from 0 to 1, but it is 2."],
  [{ probes: 0.5 }, "probes must be a whole number of at least 1, but it is 0.5."],
  [{ probeTimeoutMs: 0 }, "probeTimeoutMs must be a number of milliseconds of at least 1, but it is 0."],
])("refuses %j", (options, message) => {
  expect(() => createBreaker(options)).toThrow(message);
});
