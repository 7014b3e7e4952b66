import { describe, expect, it } from "vitest";
import { type Settle, settlerOf } from "../../src/policy/settle.ts";

const call = { method: "tools/call", params: {} } as never;

describe("what a result says that its call cost", () => {
  const result = {
    content: [1, 2, 3],
    usage: { tokens: 2_500, note: "x" },
    _meta: { "dev.example/usage": { tokens: 7 }, "a.b": { "c.d": 4 }, a: { b: { c: 9 } } },
  };

  it.each<[Settle, number | undefined]>([
    [{ result: "usage.tokens", per: 1000 }, 3],
    [{ result: "usage.tokens", per: 1000, max: 2 }, 2],
    [{ result: "usage.tokens", per: 10_000, min: 2 }, 2],
    [{ result: "content" }, 3],
    [{ result: "_meta.dev.example/usage.tokens" }, 7],
    [{ result: "_meta.a.b.c.d" }, 4],
    [{ result: "_meta.a.b.c" }, 9],
    [{ result: "usage.note" }, undefined],
    [{ result: "usage.missing" }, undefined],
    [{ result: "usage" }, undefined],
    [{ result: "__proto__.x" }, undefined],
    [() => 12, 12],
  ])("%j: %s", (settle, units) => {
    expect(settlerOf(settle)(result, call)).toBe(units);
  });

  it("is nothing where it makes no sense", () => {
    const tokens = settlerOf({ result: "tokens" });
    for (const amount of [-1, Number.NaN, "5", null, true, {}])
      expect(tokens({ tokens: amount }, call)).toBeUndefined();
    for (const nothing of [undefined, null, 1, "x", []]) expect(tokens(nothing, call)).toBeUndefined();
    expect(tokens({ tokens: Infinity }, call)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([
    [{ result: "" }, TypeError],
    [5, TypeError],
    [{ argument: "x" }, TypeError],
    [{ result: "x", per: 0 }, RangeError],
    [{ result: "x", min: -1 }, RangeError],
    [{ result: "x", min: 3, max: 2 }, RangeError],
  ])("cannot be %j", (settle, error) => {
    expect(() => settlerOf(settle as never)).toThrow(error as typeof TypeError);
  });
});
