import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readMessage } from "../../src/message/read-message.ts";

const read = (text: string) => readMessage(new TextEncoder().encode(text));
const CALL = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"q":"x"}}}';

describe("a message that all parsers read alike", () => {
  it.each([
    CALL,
    ` \n${CALL}\t`,
    '{ "jsonrpc" : "2.0" , "method" : "ping" , "id" : "a\\"b\\\\" }',
    '{"params":{"arguments":{"name":1,"Name":2,"nested":{"a":1,"a":2}}}}',
    "{}",
    "[]",
    "7",
    '"text"',
    "null",
    '{"a":[],"b":{},"c":[{"d":"}]"}],"e":-1.5e3,"f":true}',
  ])("%s", (text) => {
    expect(read(text)).toEqual({
      kind: "messages",
      messages: [JSON.parse(text)].flat(),
      isBatch: Array.isArray(JSON.parse(text)),
    });
  });

  it("may be a batch", () => {
    expect(read(`[${CALL}, {"method":"notifications/x"}]`)).toMatchObject({ isBatch: true, messages: [{ id: 7 }, {}] });
  });
});

describe("a message that two parsers read as two calls", () => {
  it.each([
    ['{"id":7,"method":"ping","method":"tools/call"}', 'the key "method" stands twice'],
    ['{"id":7,"method":"ping","Method":"tools/call"}', 'the key "Method" can be read as "method"'],
    ['{"id":7,"METHOD":"tools/call"}', 'the key "METHOD" can be read as "method"'],
    ['{"id":7,"m\\u0065thod":"ping","method":"tools/call"}', 'the key "method" stands twice'],
    ['{"id":7,"params":{"name":"cheap","name":"dear"}}', 'the key "name" stands twice'],
    ['{"id":7,"params":{"name":"cheap","name\\u0000":"dear"}}', 'the key "name\\u0000" can be read as "name"'],
    ['{"id":7,"paramſ":{"name":"dear"}}', 'the key "paramſ" can be read as "params"'],
    ['{"id":7,"params":{"name":"a"},"params":{"name":"b"}}', 'the key "params" stands twice'],
    ['{"id":7,"params":{"arguments":{"limit":1,"limit":9000}}}', 'the key "limit" stands twice'],
    ['{"id":7,"params":{"_meta":{"a":1,"a":2}}}', 'the key "a" stands twice'],
    ['[{"id":6},{"id":7,"method":"ping","method":"tools/call"}]', 'the key "method" stands twice'],
  ])("%s", (text, why) => {
    const reading = read(text);
    expect(reading).toMatchObject({ kind: "ambiguous", why });
    expect((reading as { readonly ids: readonly unknown[] }).ids).toContain(7);
  });
});

describe("what cannot be read", () => {
  it.each(["", "{", "{'a':1}", '{"a":1,}', "﻿{}", "NaN", "{} {}", "[".repeat(100_000)])("%j", (text) => {
    expect(read(text)).toMatchObject({ kind: "unreadable" });
  });

  it("is not UTF-8", () => {
    expect(readMessage(Uint8Array.of(0x22, 0xff, 0x22))).toEqual({ kind: "unreadable", why: "it is not UTF-8" });
  });
});

it("looks through a body that is nested five thousand deep", () => {
  const deep = `{"params":{"arguments":{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}}}`;
  expect(read(deep).kind).toBe("messages");
});

it("reads whatever JSON there is as JSON.parse does, or says that it is ambiguous", () => {
  // Not a key that ends with a backslash: where V8 13 has read one, it reads `"` in the same place as it, too.
  const key = fc.constantFrom("method", "Method", "params", "name", "id", "arguments", "a", '"', "\\\\a", "é");
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4 }),
      fc.array(tie("value"), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(value, fc.nat(3), (given, indent) => {
      const reading = read(JSON.stringify(given, null, indent));
      if (reading.kind === "ambiguous") {
        expect(JSON.stringify(given)).toMatch(/[A-Z]/);
        return;
      }
      const parsed = JSON.parse(JSON.stringify(given));
      // As text, because the matchers stumble over a member that is called "__proto__".
      const messages = Array.isArray(parsed) ? parsed : [parsed];
      expect(JSON.stringify(reading)).toBe(
        JSON.stringify({ kind: "messages", messages, isBatch: Array.isArray(parsed) }),
      );
    }),
    { numRuns: 2_000 },
  );
});
