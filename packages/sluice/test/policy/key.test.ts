import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { McpCall } from "../../src/policy/call.ts";
import { isPerClient, keyOf, type PolicyKey } from "../../src/policy/key.ts";

const call: McpCall = {
  method: "tools/call",
  tool: "search",
  params: { name: "search", arguments: { q: "x", filter: { owner: "team" }, list: [1] } },
  headers: new Headers({ "x-tenant": "t1" }),
  address: "192.0.2.1",
  sessionId: "s1",
};

describe("a key", () => {
  it.each<[PolicyKey | undefined, string | undefined]>([
    [undefined, "me"],
    ["client", "me"],
    ["everyone", "everyone:0:"],
    ["address", "address:9:192.0.2.1"],
    ["tool", "tool:6:search"],
    ["header:X-Tenant", "header:X-Tenant:2:t1"],
    ["header:x-other", "header:x-other:-"],
    ["argument:filter.owner", "argument:filter.owner:4:team"],
    ["argument:filter", 'argument:filter:16:{"owner":"team"}'],
    ["argument:constructor", "argument:constructor:-"],
    [["client", "session"], "client:2:me/session:2:s1"],
    [["client", "tool"], "client:2:me/tool:6:search"],
    [(_call, client) => `own:${client}`, "own:me"],
    [() => undefined, undefined],
  ])("of %j", (key, expected) => {
    expect(keyOf(key)(call, "me")).toBe(expected);
  });

  it("keeps no more of a long part than it needs", () => {
    const long = "x".repeat(1_000_000);
    expect(keyOf("argument:q")({ ...call, params: { arguments: { q: long } } }, "me")?.length).toBeLessThan(300);
  });

  it("tells apart whatever two clients write", () => {
    const key = keyOf(["client", "header:x-tenant", "tool"]);
    const text = fc.string({ unit: fc.constantFrom("a", ":", "/", "-", "1"), maxLength: 6 });
    const made = ([client, tenant, tool]: readonly [string, string | undefined, string]) =>
      key({ ...call, tool, headers: new Headers(tenant === undefined ? {} : { "x-tenant": tenant }) }, client);
    const caller = fc.tuple(text, fc.option(text, { nil: undefined }), text);
    fc.assert(
      fc.property(caller, caller, (a, b) => {
        expect(made(a) === made(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    ["session", "A session is no key by itself"],
    [["session", "tool"], "A session is no key by itself"],
    [[], "A key needs at least one part"],
    ["user", 'A key has no part "user": it knows client, address'],
    ["header:", 'A key has no part "header:"'],
    ["toString", "A key has no part"],
    [7, "A key has no part 7"],
  ])("cannot be %j", (key, message) => {
    expect(() => keyOf(key as PolicyKey)).toThrow(message);
  });

  it("that a function makes is a text that is not empty", () => {
    expect(() => keyOf(() => "")(call, "me")).toThrow("an empty key would make everybody share one limit");
  });

  it("is of one client or of all", () => {
    expect([undefined, "client", ["tool", "address"], () => "x"].map((key) => isPerClient(key as PolicyKey))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(["everyone", "tool", ["header:x-tenant", "tool"]].map((key) => isPerClient(key as PolicyKey))).toEqual([
      false,
      false,
      false,
    ]);
  });
});
