import { memoryStore } from "sluice";
import { type AdaptEvent, createMcpGate, type Policy } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

let id = 0;
const origin = { connection: "a" };
const call = () => ({ jsonrpc: "2.0", id: ++id, method: "tools/call", params: { name: "t" } }) as const;
const FAILED = { code: -32_603, message: "failed" };

function scene(policy: Omit<Policy, "name">) {
  const clock = manualClock();
  const events: AdaptEvent[] = [];
  const gate = createMcpGate({
    store: memoryStore({ clock }),
    policies: [{ name: "p", adapt: true, ...policy }],
    onAdapt: (event) => events.push(event),
  });
  const admitted = (request = call()) => {
    const admission = gate.admit([request], origin);
    if ("then" in admitted || !("holdsPlaces" in admission)) throw new Error("It is a store in memory.");
    return { request, admission, passed: admission.refusal === undefined };
  };
  /** Calls, each answered with this. Returns how many passed. */
  const run = (times: number, answer: unknown = {}, tookMs = 0) => {
    let passed = 0;
    for (let i = 0; i < times; i++) {
      const one = admitted();
      if (!one.passed) continue;
      passed++;
      clock.advanceSync(tookMs);
      gate.sawAnswer(one.request, origin, answer);
      one.admission.finish();
    }
    return passed;
  };
  return { clock, events, gate, admitted, run };
}

describe("a policy that adapts itself to the server", () => {
  it("lets fewer calls pass after failures, and all of them when the server is well again", () => {
    const { clock, events, run } = scene({ quota: "100/min" });
    run(50, FAILED);
    clock.advanceSync(60_000);
    expect(run(200)).toBe(70);
    expect(events).toEqual([{ policy: "p", level: 0.7 }]);
    clock.advanceSync(60_000);
    expect(run(200)).toBeGreaterThan(70);
    clock.advanceSync(60_000);
    run(1);
    clock.advanceSync(60_000);
    expect(run(200)).toBe(100);
  });

  it("lets fewer calls run at once", () => {
    const { clock, admitted, run } = scene({ concurrency: 10 });
    run(50, FAILED);
    clock.advanceSync(10_000);
    const running = Array.from({ length: 20 }, () => admitted());
    expect(running.filter(({ passed }) => passed)).toHaveLength(7);
    for (const { admission } of running) admission.finish();
    clock.advanceSync(60_000);
    expect(Array.from({ length: 20 }, () => admitted()).filter(({ passed }) => passed)).toHaveLength(10);
  });

  it("counts the places that are taken when it is lowered", () => {
    const { clock, admitted, gate } = scene({ concurrency: 10 });
    const running = Array.from({ length: 8 }, () => admitted());
    for (const { request } of running) gate.sawAnswer(request, origin, FAILED);
    clock.advanceSync(10_000);
    expect(admitted().passed).toBe(false);
    for (const { admission } of running.slice(0, 2)) admission.finish();
    expect(admitted().passed).toBe(true);
    expect(admitted().passed).toBe(false);
  });

  it("is lowered by slow answers where that is asked for", () => {
    const { clock, run } = scene({ quota: "100/min", adapt: { slowMs: 500 } });
    run(10, {}, 501);
    clock.advanceSync(60_000);
    expect(run(200)).toBeLessThan(80);
  });

  it("is not lowered by what clients bring about: errors of their own, and results with isError", () => {
    const { clock, events, run } = scene({ quota: "100/min" });
    run(40, { code: -32_602, message: "no such tool" });
    run(40, { isError: true, content: [] });
    clock.advanceSync(60_000);
    expect(run(200)).toBe(100);
    expect(events).toEqual([]);
  });

  it("rests when the server asks for it", () => {
    const { clock, gate, admitted, run } = scene({ quota: "100/min" });
    gate.sawFailure(admitted().request, 30_000);
    clock.advanceSync(60_000);
    expect(run(200)).toBeLessThan(50);
  });

  it("lets a call pass that could pass before, however small the limit", () => {
    const { clock, run } = scene({ quota: "1/min", adapt: { least: 0.01 } });
    for (let i = 0; i < 20; i++) {
      run(1, FAILED);
      clock.advanceSync(60_000);
    }
    expect(run(1)).toBe(1);
  });

  it("cannot settle costs, too", () => {
    const policy: Policy = { name: "p", quota: "1/s", adapt: true, settle: { result: "x" } };
    expect(() => createMcpGate({ policies: [policy] })).toThrow("a policy has one of them");
  });
});
