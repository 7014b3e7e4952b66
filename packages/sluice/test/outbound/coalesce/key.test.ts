import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coalesceKey } from "../../../src/outbound/coalesce/coalesce-key.ts";
import { keyOf } from "../../../src/outbound/coalesce/key-of.ts";
import { sha256 } from "../../../src/outbound/coalesce/sha256.ts";

const utf16 = (text: string) => Buffer.from(text, "utf16le").swap16();

describe("sha256", () => {
  it("is the digest that the platform makes of the UTF-16 text, at every length around the edges of blocks", () => {
    for (let length = 0; length < 200; length++) {
      const text = "aß\ud800€".repeat(50).slice(0, length);
      expect(sha256(text), `length ${length}`).toBe(createHash("sha256").update(utf16(text)).digest("hex"));
    }
  });

  it("is the digest that the platform makes of any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => {
        expect(sha256(text)).toBe(createHash("sha256").update(utf16(text)).digest("hex"));
      }),
    );
  });

  it("tells halves of surrogate pairs apart, which are all the same in UTF-8", () => {
    expect(new TextEncoder().encode("\ud800")).toEqual(new TextEncoder().encode("\ud801"));
    expect(sha256("\ud800")).not.toBe(sha256("\ud801"));
  });
});

describe("coalesceKey", () => {
  it("is the same for the same parts and differs when any part does: tenants never share", () => {
    const texts = ["", "1", ":", "-", "1:", "-1", "--", "1:1", "-:", "0:", "2:", "11"];
    const all = texts.flatMap((upstream) =>
      [undefined, ...texts].flatMap((tenant) => texts.map((key) => coalesceKey({ upstream, tenant, key }))),
    );
    expect(new Set(all).size).toBe(12 * 13 * 12);
    expect(coalesceKey({ upstream: "a", key: "k" })).toBe(coalesceKey({ upstream: "a", tenant: undefined, key: "k" }));
  });

  it("keeps nothing of a secret, and takes no more memory for a long key", () => {
    const key = coalesceKey({ upstream: "api", tenant: "t", key: `token=hunter2 ${"x".repeat(10_000)}` });
    expect(key).toMatch(/^[0-9a-f]{64}$/);
  });

  it("refuses what is not a text, which would be the same text as another", () => {
    expect(() => coalesceKey({ upstream: "api", key: {} as string })).toThrow(TypeError);
    expect(() => coalesceKey({ upstream: "api", tenant: 1 as unknown as string, key: "k" })).toThrow(TypeError);
  });
});

describe("keyOf", () => {
  it("is the same whatever the order of fields, entries and elements", () => {
    expect(keyOf({ a: 1, b: { c: 2, d: 3 } })).toBe(keyOf({ b: { d: 3, c: 2 }, a: 1 }));
    expect(
      keyOf(
        new Map([
          [1, "a"],
          [2, "b"],
        ]),
      ),
    ).toBe(
      keyOf(
        new Map([
          [2, "b"],
          [1, "a"],
        ]),
      ),
    );
    expect(keyOf(new Set([{ a: 1 }, { b: 2 }]))).toBe(keyOf(new Set([{ b: 2 }, { a: 1 }])));
    expect(keyOf(Object.assign(Object.create(null), { a: 1 }))).toBe(keyOf({ a: 1 }));
    expect(keyOf([1, 2])).not.toBe(keyOf([2, 1]));
  });

  const date = new Date(86_400_000);
  const different: readonly unknown[] = [
    1,
    "1",
    1n,
    true,
    "true",
    false,
    null,
    "null",
    undefined,
    "undefined",
    0,
    -0,
    Number.NaN,
    "NaN",
    Infinity,
    date,
    date.toISOString(),
    date.getTime(),
    new Date(Number.NaN),
    [],
    {},
    new Set(),
    new Map(),
    "",
    [undefined],
    new Array(1),
    [null],
    { a: undefined },
    { a: null },
    [[]],
    [{}],
    ["a", "b"],
    ["ab"],
    ["a,b"],
    { ab: "" },
    { a: "b" },
    new Set(["a", "b"]),
    new Set([["a", "b"]]),
    new Map([["a", "b"]]),
    new Set(["a"]),
    [[1], 2],
    [[1, 2]],
    [1, [2]],
    Object.assign([1], { a: 2 }),
    new URL("https://x.test/"),
    "https://x.test/",
    new Uint8Array([1]),
    [new Uint8Array([1]), null],
    [new Uint8Array([1, 0])],
    [new Uint8Array([10])],
    new Int8Array([1]),
    new Uint8Array([1]).buffer,
    new Uint16Array([1]),
    new DataView(new ArrayBuffer(1)),
  ];

  it("differs for values that differ, types included", () => {
    const keys = different.map(keyOf);
    for (const [i, key] of keys.entries()) expect(keys.indexOf(key), key).toBe(i);
  });

  it("is the same for copies, and differs for any two that are not equal", () => {
    const leaf = fc.oneof(fc.constantFrom(...different.filter((value) => typeof value !== "object")), fc.date());
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom("a", "b", "s1:a", "}"), tie("value"), { maxKeys: 3 }),
        fc.array(tie("value"), { maxLength: 2 }).map((elements) => new Set(elements)),
        fc.array(fc.tuple(fc.string({ maxLength: 2 }), tie("value")), { maxLength: 2 }).map((all) => new Map(all)),
        fc.uint8Array({ maxLength: 3 }),
      ),
    }));
    const seen = new Map<string, unknown>();
    fc.assert(
      fc.property(value, (one) => {
        const key = keyOf(one);
        expect(keyOf(structuredClone(one))).toBe(key);
        if (seen.has(key)) expect(seen.get(key)).toEqual(one);
        seen.set(key, one);
      }),
      { numRuns: 3_000 },
    );
  });

  it("lets the same object be in several places", () => {
    const shared = { a: 1 };
    expect(keyOf([shared, shared])).toBe(keyOf([{ a: 1 }, { a: 1 }]));
  });

  const circle: { inner: { back?: unknown } } = { inner: {} };
  circle.inner.back = circle;
  const refused: Readonly<Record<string, [unknown, string]>> = {
    "a function": [{ user: { onDone: () => {} } }, "value.user.onDone: it is a function"],
    "a symbol": [[Symbol("a")], "value[0]: it is a symbol"],
    "a name that is a symbol": [{ [Symbol("a")]: 1 }, "value: it is an object with symbols for names"],
    "a cycle": [circle, "value.inner.back: it is a value that contains itself"],
    "an instance of a class": [[{ when: new (class Price {})() }], "value[0].when: it is an instance of Price"],
    "a subclass": [new (class Later extends Date {})(), "value: it is an instance of Later"],
    "a promise": [Promise.resolve(), "value: it is an instance of Promise"],
    "a regular expression": [/a/, "value: it is an instance of RegExp"],
  };

  it.each(Object.entries(refused))("refuses %s and says where it is", (_, [value, message]) => {
    expect(() => keyOf(value)).toThrow(TypeError);
    expect(() => keyOf(value)).toThrow(message);
  });

  it("refuses what is nested too deep, before the stack is full", () => {
    let deep: unknown = 0;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(() => keyOf(deep)).toThrow("nested more than 500 times");
  });
});
