import fc from "fast-check";
import { memoryStore } from "sluice";
import { createMcpGate, type McpRateLimitOptions, type Policy } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

const rate = fc.constantFrom("3/min", "200/h", "2/s burst 5", "7/day UTC", "1/10s");
const cost = fc.constantFrom<NonNullable<Policy["cost"]>>(1, 2, { argument: "size", per: 2 }, { a: 3, "*": 1 });
const policy = fc.record({
  name: fc.constantFrom("first", "second", "third"),
  quota: fc.oneof(rate, fc.uniqueArray(rate, { minLength: 2, maxLength: 2 })),
  key: fc.constantFrom<NonNullable<Policy["key"]>>(
    "client",
    "everyone",
    ["client", "tool"],
    ["client", "argument:repo"],
  ),
  match: fc.constantFrom({}, { tool: "a" }, { not: { tool: "b" } }),
  cost,
});
const limits = fc.record(
  {
    perClient: rate,
    global: fc.oneof(
      rate,
      rate.map((quota) => ({ quota, cost: 2 })),
    ),
    tools: fc.constantFrom({ a: "2/min" }, { "*": "5/min" }, { a: "1/min", "*": "3/min" }),
    policies: fc.uniqueArray(policy, { maxLength: 3, selector: ({ name }) => name }),
  },
  { requiredKeys: [] },
);
const call = fc.record({
  client: fc.constantFrom("ann", "bob"),
  tool: fc.constantFrom("a", "b", "c"),
  size: fc.nat(9),
  repo: fc.constantFrom("x", "y"),
  afterMs: fc.constantFrom(0, 1, 700, 9_000, 61_000),
});

const requestOf = ({ tool, size, repo }: { tool: string; size: number; repo: string }) =>
  ({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool, arguments: { size, repo } } }) as const;

describe("decide of a gate", () => {
  it("decides as admit does, for any limits and calls", () => {
    fc.assert(
      fc.property(limits, fc.array(call, { minLength: 1, maxLength: 60 }), (options, calls) => {
        const clock = manualClock();
        const one = createMcpGate({ ...(options as McpRateLimitOptions), store: memoryStore({ clock }) });
        const other = createMcpGate({ ...(options as McpRateLimitOptions), store: memoryStore({ clock }) });
        for (const { client, afterMs, ...rest } of calls) {
          clock.advanceSync(afterMs);
          const request = requestOf(rest);
          const admission = one.admit([request], { connection: client });
          if ("then" in admission) throw new Error("nothing waits here");
          const { method, params } = request;
          const decision = other.decide!({ method, params, tool: rest.tool }, { client });
          expect(decision).toEqual(admission.outcome?.decision);
          expect(decision?.allowed ?? true).toBe(admission.refusal === undefined);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("does not count what is never refused", () => {
    const gate = createMcpGate({ perClient: "1/h", store: memoryStore() });
    for (const method of ["ping", "tools/list"]) {
      for (let i = 0; i < 3; i++) expect(gate.decide!({ method, params: {} }, { client: "ann" })).toBeUndefined();
    }
  });

  it.each<[string, McpRateLimitOptions]>([
    ["wait", { perClient: "1/s", wait: true }],
    ["wait by a policy", { policies: [{ name: "p", quota: "1/s", wait: true }] }],
    ["hold places", { tools: { a: { concurrency: 1 } } }],
    ["settle", { policies: [{ name: "p", quota: "9/s", settle: { result: "n" } }] }],
    ["adapt", { policies: [{ name: "p", quota: "9/s", adapt: true }] }],
    ["are on trial", { perClient: "1/s", mode: "shadow" }],
    ["may repeat themselves", { perClient: "1/s", loops: true }],
    ["have tickets", { perClient: "1/s", tickets: true }],
    ["are followed", { perClient: "1/s", onCall: () => undefined }],
  ])("is not there where calls %s", (_what, options) => {
    const gate = createMcpGate({ ...options, store: memoryStore() });
    expect(gate.decide).toBeUndefined();
  });
});
