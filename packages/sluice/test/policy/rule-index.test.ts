import fc from "fast-check";
import { memoryStore } from "sluice";
import { createMcpGate, type Policy } from "sluice/mcp";
import { expect, it } from "vitest";
import { matching } from "../../src/policy/match.ts";

const names = fc.constantFrom("a", "b", "c", "toString", "__proto__");
const patterns = fc.oneof(names, fc.constant("*"), fc.constant("a*"), fc.array(names, { minLength: 1, maxLength: 3 }));
const matches = fc.record(
  { tool: fc.option(patterns, { nil: undefined }), not: fc.option(fc.record({ tool: patterns }), { nil: undefined }) },
  { requiredKeys: [] },
);

it("finds the same policies as looking at all of them, in their order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(matches, { maxLength: 12 }), names, async (list, tool) => {
      const policies = list.map(({ tool: pattern, not }, i): Policy => {
        const match = { ...(pattern !== undefined && { tool: pattern }), ...(not !== undefined && { not }) };
        return { name: `p${i}`, match, quota: "10/min" };
      });
      const gate = createMcpGate({ policies, store: memoryStore() });
      const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: tool } } as const;
      const { limits } = await gate.explain(request, { connection: "x" });
      const call = { method: "tools/call", tool, params: { name: tool } };
      const expected = policies.filter(({ match }) => matching(match)(call)).map(({ name }) => `${name}.per-minute`);
      expect(limits.map(({ quota }) => quota.name)).toEqual(expected);
    }),
  );
});
