import { expect, it } from "vitest";
import { MappingError, parseMapping } from "../../../src/simulate/readers/mapping.ts";
import { durationOf, timeOf } from "../../../src/simulate/readers/times.ts";

const AT = Date.UTC(2026, 10, 29, 12, 39, 49);

it.each<[unknown, string | undefined, number | undefined]>([
  [AT / 1000, undefined, AT],
  [AT, undefined, AT],
  [AT + 0.125, undefined, AT + 0.125],
  [AT * 1000, undefined, AT],
  [AT * 1e6, undefined, AT],
  [String(AT / 1000), undefined, AT],
  ["1795955989.250", undefined, AT + 250],
  ["2026-11-29T12:39:49Z", undefined, AT],
  ["2026-11-29 12:39:49.5Z", undefined, AT + 500],
  ["2026-11-29T14:39:49,250+02:00", undefined, AT + 250],
  ["2026-11-29T12:39:49.123456789Z", undefined, AT + 123.456],
  ["29/Nov/2026:12:39:49 +0000", undefined, AT],
  ["29/Nov/2026:07:09:49 -0530", undefined, AT],
  // Without a zone nobody knows when it was.
  ["2026-11-29T12:39:49", undefined, undefined],
  ["29/Foo/2026:12:39:49 +0000", undefined, undefined],
  ["", undefined, undefined],
  [42, undefined, undefined],
  [AT, "s", undefined],
  [AT, "ms", AT],
  [null, undefined, undefined],
  [Number.NaN, undefined, undefined],
])("timeOf(%j, %j)", (value, unit, ms) => {
  if (ms === undefined) expect(timeOf(value, unit)).toBeUndefined();
  else expect(timeOf(value, unit)).toBeCloseTo(ms, 2);
});

it.each<[unknown, string | undefined, number | undefined]>([
  [41, undefined, 41],
  ["1.5", "s", 1_500],
  [2_000, "us", 2],
  ["", undefined, undefined],
  ["-", undefined, undefined],
  [-1, undefined, undefined],
  ["Infinity", undefined, undefined],
])("durationOf(%j, %j)", (value, unit, ms) => {
  expect(durationOf(value, unit)).toBe(ms);
});

it("reads mappings, in which constants may have commas", () => {
  const mapping = parseMapping(["time=ts:ms, tool='a, b'", "client=user"]);
  expect([...mapping]).toEqual([
    ["time", { names: ["ts"], unit: "ms" }],
    ["tool", { names: [], text: "a, b" }],
    ["client", { names: ["user"] }],
  ]);
});

it.each([
  ["client", "A mapping is FIELD=NAME"],
  ["user=id", 'A call has no "user"'],
  ["argument.=x", 'A call has no "argument."'],
])("refuses the mapping %s", (text, message) => {
  expect(() => parseMapping([text])).toThrow(MappingError);
  expect(() => parseMapping([text])).toThrow(message);
});
