import { inspect } from "node:util";
import { memoryStore } from "sluice";
import { createUpstreams } from "sluice/outbound";
import { describe, expect, it } from "vitest";

const store = memoryStore();

describe("names of upstreams", () => {
  it("an unknown name is a type error, and a run-time error that lists the names", () => {
    const upstreams = createUpstreams({ coingecko: "10/min", infura: "5/s" }, { store });
    // @ts-expect-error there is no such upstream
    expect(() => upstreams.coingeko).toThrow(
      new TypeError('There is no upstream "coingeko". There are: "coingecko", "infura".'),
    );
    const none = createUpstreams({}, { store }) as unknown as Record<string, unknown>;
    expect(() => none.any).toThrow('There is no upstream "any". There are: none.');
    expect(upstreams.coingecko.name).toBe("coingecko");
  });

  it("await, console.log, JSON and texts of all upstreams do not throw", async () => {
    const upstreams = createUpstreams({ coingecko: "10/min" }, { store });
    expect(await upstreams).toBe(upstreams);
    expect(inspect(upstreams)).toContain("coingecko");
    expect(JSON.stringify(upstreams)).toContain("coingecko");
    expect(String(upstreams)).toBe("[object Object]");
    expect("coingecko" in upstreams).toBe(true);
    expect(Object.keys(upstreams)).toEqual(["coingecko", "close"]);
    expect({ ...upstreams }.coingecko).toBe(upstreams.coingecko);
    expect(await upstreams.coingecko).toBe(upstreams.coingecko);
  });

  it("names that mean something else, or cannot be names, are refused", () => {
    for (const name of ["close", "then", "toJSON", "constructor"]) {
      expect(() => createUpstreams({ [name]: "1/s" }, { store })).toThrow(`An upstream cannot be named "${name}"`);
    }
    for (const name of ["", "1st", "a/b", "a b", "-", "__proto__", "é", "x".repeat(65)]) {
      expect(() => createUpstreams(Object.fromEntries([[name, "1/s"]]), { store })).toThrow(
        /The name of an upstream is a letter, followed by up to 63 letters, digits/,
      );
    }
    expect(createUpstreams({ "a.b-c_1": "1/s" }, { store })["a.b-c_1"].name).toBe("a.b-c_1");
  });
});
