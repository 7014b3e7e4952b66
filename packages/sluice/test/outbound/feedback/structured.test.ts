import fc from "fast-check";
import * as reference from "structured-headers";
import { expect, it } from "vitest";
import { type BareItem, type Item, parseDictionary, parseList } from "../../../src/outbound/feedback/structured.ts";

/** What the other parser read, in our types. */
function bare(value: reference.BareItem): unknown {
  if (typeof value === "number") return value;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (value instanceof reference.Token) return `token ${value}`;
  if (value instanceof Date) return `date ${value.getTime() / 1000}`;
  if (value instanceof reference.DisplayString) return `display ${value}`;
  return `bytes ${Buffer.from(value as ArrayBuffer).toString("base64")}`;
}
const pairs = (parameters: reference.Parameters) => [...parameters].map(([key, value]) => [key, bare(value)]);
const member = ([value, parameters]: reference.Item | reference.InnerList): unknown =>
  Array.isArray(value) ? [value.map(member), pairs(parameters)] : [bare(value), pairs(parameters)];

function ourBare({ type, value }: BareItem): unknown {
  if (type === "integer" || type === "decimal" || type === "string" || type === "boolean") return value;
  if (type === "inner-list") return value.map(ours);
  return `${type} ${type === "bytes" ? Buffer.from(value, "base64").toString("base64") : value}`;
}
const ours = (item: Item): unknown => [
  ourBare(item),
  [...item.parameters].map(([key, value]) => [key, ourBare(value)]),
];

const attempt = <T>(parse: () => T): T | undefined => {
  try {
    return parse();
  } catch {
    return undefined;
  }
};

const PIECES = [
  "a",
  "*",
  "A/b:c",
  "1",
  "-1.5",
  "1.",
  "0.1234",
  "123456789012345",
  "1234567890123456",
  '"x \\" y"',
  '"',
  "\\",
  ":YQ==:",
  ":YQ:",
  ":",
  "?1",
  "?2",
  "@1.5",
  '%"f%c3%bc"',
  '%"%ff"',
  "(",
  ")",
  ";",
  "=",
  ",",
  " ",
  "\t",
  ", ",
  ";r=1",
  ";t=20",
  "limit=10",
  "é",
];
/** Without dates: the other parser reads them only where a field ends. */
const text = fc
  .oneof(
    fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((list) => list.join("")),
    fc.string(),
  )
  .filter((field) => !/@-?\d/.test(field));

it("reads Lists as another parser of RFC 9651 does, and refuses what it refuses", () => {
  let read = 0;
  fc.assert(
    fc.property(text, (field) => {
      const expected = attempt(() => reference.parseList(field))?.map(member);
      if (expected !== undefined) read++;
      expect(parseList(field)?.map(ours)).toEqual(expected);
    }),
    { numRuns: 20_000 },
  );
  expect(read).toBeGreaterThan(500);
});

it("reads Dictionaries as another parser of RFC 9651 does, and refuses what it refuses", () => {
  let read = 0;
  fc.assert(
    fc.property(text, (field) => {
      const expected = attempt(() => reference.parseDictionary(field));
      if (expected !== undefined) read++;
      const found = parseDictionary(field);
      expect(found && [...found].map(([key, item]) => [key, ours(item)])).toEqual(
        expected && [...expected].map(([key, item]) => [key, member(item)]),
      );
    }),
    { numRuns: 20_000 },
  );
  expect(read).toBeGreaterThan(500);
});

it("reads dates, which the other parser reads only where a field ends", () => {
  expect(parseList("@12;a=@-3, @0\t")?.map(ours)).toEqual([
    ["date 12", [["a", "date -3"]]],
    ["date 0", []],
  ]);
});
