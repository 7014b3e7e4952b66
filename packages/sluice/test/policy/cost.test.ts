import { describe, expect, it } from "vitest";
import { type Cost, costOf } from "../../src/policy/cost.ts";

const call = (tool: string, args?: unknown) => ({
  method: "tools/call",
  tool,
  params: { name: tool, arguments: args },
});
const byLimit: Cost = { argument: "page.limit", per: 100, max: 50 };

describe("a cost", () => {
  it.each<[Cost | undefined, ReturnType<typeof call>, number]>([
    [undefined, call("a"), 1],
    [0, call("a"), 0],
    [5, call("a"), 5],
    [{ report: 10, "*": 2 }, call("report"), 10],
    [{ report: 10, "*": 2 }, call("other"), 2],
    [{ report: 10 }, call("other"), 1],
    [{ report: 10 }, call("toString"), 1],
    [{ argument: 3 } as Cost, call("argument"), 3],
    [byLimit, call("a", { page: { limit: 100 } }), 1],
    [byLimit, call("a", { page: { limit: 101 } }), 2],
    [byLimit, call("a", { page: { limit: "250" } }), 3],
    [byLimit, call("a", { page: { limit: 1e300 } }), 50],
    [byLimit, call("a", { page: { limit: "Infinity" } }), 50],
    [byLimit, call("a", { page: { limit: -7 } }), 1],
    [byLimit, call("a", { page: { limit: {} } }), 1],
    [byLimit, call("a"), 1],
    [{ argument: "n", otherwise: 9 }, call("a", { n: " " }), 9],
    [{ argument: "n" }, call("a", { n: 1e300 }), Number.MAX_SAFE_INTEGER],
    [({ tool }) => tool?.length ?? 0, call("four"), 4],
  ])("%j", (cost, given, expected) => {
    expect(costOf(cost)(given)).toBe(expected);
  });

  it.each([
    [-1, "cost"],
    [1.5, "cost"],
    ["3", "A cost is a whole number"],
    [null, "A cost is a whole number"],
    [{ report: -1 }, "cost.report"],
    [{ argument: "n", per: 0 }, "cost.per is a number above 0, but it is 0"],
    [{ argument: "n", min: 5, max: 2 }, "cost.max"],
  ])("cannot be %j", (cost, message) => {
    expect(() => costOf(cost as Cost)).toThrow(message);
  });
});
