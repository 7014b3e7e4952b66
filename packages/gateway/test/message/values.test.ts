import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { valuesIn, withValues } from "../../src/message/values.ts";

const ID = ["id"];
const TOKEN = ["params", "_meta", "progressToken"];

describe("values of a message", () => {
  it("are read as they are written", () => {
    const message = Buffer.from(
      '{"params":{"_meta":{"a/b":1,"progressToken" : "é\\u0041" }}, "id":12345678901234567890 }',
    );
    const [id, token, none] = valuesIn(message, [ID, TOKEN, ["params", "none"]]);
    expect([id, Buffer.from(token!, "latin1").toString(), none]).toEqual([
      "12345678901234567890",
      '"é\\u0041"',
      undefined,
    ]);
  });

  it("are replaced, and everything else stays byte by byte", () => {
    const message = Buffer.from(
      '{ "id":"ä€😀", "id2":{"id":1},"params" : {"_meta":{"progressToken":null,"x":[{"id":2}]}},"n":1e400}',
    );
    const changed = withValues(message, [
      { path: ID, text: "7" },
      { path: TOKEN, text: '"t"' },
    ]);
    expect(changed.toString()).toBe(
      '{ "id":7, "id2":{"id":1},"params" : {"_meta":{"progressToken":"t","x":[{"id":2}]}},"n":1e400}',
    );
  });

  it("are not added where they are not", () => {
    for (const text of ['{"id":{"id":1}}', "{}", "[]", "1", '"id"', '{"params":[{"_meta":1}]}'])
      expect(withValues(Buffer.from(text), [{ path: TOKEN, text: "1" }]).toString()).toBe(text);
  });

  it("come back when they are put in again, whatever the message is", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), fc.nat(2), (others, id, indent) => {
        const message = Buffer.from(
          JSON.stringify({ ...others, id, params: { _meta: { progressToken: id } } }, null, indent),
        );
        const [first, token] = valuesIn(message, [ID, TOKEN]);
        const numbered = withValues(message, [
          { path: ID, text: "1" },
          { path: TOKEN, text: "2" },
        ]);
        expect(valuesIn(numbered, [ID, TOKEN])).toEqual(["1", "2"]);
        const back = withValues(numbered, [
          { path: ID, text: first! },
          { path: TOKEN, text: token! },
        ]);
        expect(back.equals(message)).toBe(true);
      }),
    );
  });
});
