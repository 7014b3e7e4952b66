import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matcherOf } from "../../src/policy/pattern.ts";

describe("a pattern", () => {
  it.each([
    ["search", "search", true],
    ["search", "Search", false],
    ["search", "search2", false],
    ["*", "", true],
    ["*", "anything", true],
    ["files_*", "files_read", true],
    ["files_*", "files_", true],
    ["files_*", "my_files_read", false],
    ["*_write", "file_write", true],
    ["*_write", "file_write_all", false],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "axxbxxc", true],
    ["a*b*c", "acb", false],
    ["a*bc*c", "abc", false],
    ["file:///*/private/*", "file:///home/private/x", true],
    ["a.c", "abc", false],
    ["**", "x", true],
  ])("%j against %j", (pattern, text, expected) => {
    expect(matcherOf("tool", pattern).matches(text)).toBe(expected);
  });

  it("may be one of several", () => {
    const { matches, names } = matcherOf("tool", ["search", "files_*"]);
    expect(["search", "files_read", "other"].map(matches)).toEqual([true, true, false]);
    expect(["search", "files_read"].map(names)).toEqual([true, false]);
  });

  it.each([[""], [[]], [["a", ""]], [7], [null]])("cannot be %j", (pattern) => {
    expect(() => matcherOf("match.tool", pattern as string)).toThrow(/^match\.tool is a text such as "search"/);
  });

  it("means what the regular expression of it means", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
    const plain = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
    fc.assert(
      fc.property(
        text.filter((one) => one !== ""),
        plain,
        (pattern, value) => {
          const expected = new RegExp(`^${pattern.replaceAll("*", ".*")}$`, "s").test(value);
          expect(matcherOf("tool", pattern).matches(value)).toBe(expected);
        },
      ),
      { numRuns: 10_000 },
    );
  });
});
