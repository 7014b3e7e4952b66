import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/problem.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { jsonSchema } from "../../src/config/schema.ts";
import { starterFile } from "../../src/config/starter.ts";

const read = (text: string, env = {}) => readConfig(text, "sluice.yaml", env);

function problemsIn(text: string, env = {}): readonly string[] {
  try {
    read(text, env);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems.map(({ line, column, path, message }) => `${line}:${column} ${path} | ${message}`);
    }
    throw error;
  }
  return [];
}

describe("a good file", () => {
  it("is YAML", () => {
    expect(read("perClient: 60/min\nwait: 5s\ntools: { search: [10/min, 100/day UTC] }")).toEqual({
      perClient: "60/min",
      wait: { maxWaitMs: 5000 },
      tools: { search: ["10/min", "100/day UTC"] },
    });
  });

  it("has loops", () => {
    expect(read("loops: { warnAfter: 2, slow: 500ms, allow: poll_* }")).toEqual({
      loops: { warnAfter: 2, slow: 500, allow: "poll_*" },
    });
  });

  it("is JSON", () => {
    expect(read('{"perClient": "60/min", "wait": false}')).toEqual({ perClient: "60/min", wait: false });
  });

  it("may be empty", () => expect(read("# nothing yet\n")).toEqual({}));

  it("is what `init` writes, whatever the tools are called", () => {
    const tool = fc.record({
      name: fc.string({ minLength: 1 }).filter((name) => name !== "*"),
      title: fc.option(fc.string(), { nil: undefined }),
      readOnly: fc.option(fc.boolean(), { nil: undefined }),
      destructive: fc.option(fc.boolean(), { nil: undefined }),
    });
    const tools = fc.uniqueArray(tool, { selector: ({ name }) => name });
    fc.assert(
      fc.property(tools, (list) => {
        const found = read(starterFile(list)).tools!;
        const names = list.map(({ name }) => name).filter((name) => name !== "__proto__");
        expect(Object.keys(found).sort()).toEqual([...names, "*"].sort());
      }),
    );
  });
});

describe("variables of the environment", () => {
  const env = { PORT: "8080", NAME: "search", RATE: "10/min", EMPTY: "", TRICK: "1/s\nmode: shadow" };

  it.each([
    ["perClient: ${RATE}", { perClient: "10/min" }],
    ['perClient: "${RATE}"', { perClient: "10/min" }],
    ["perClient: ${NOTHING:-5/min}", { perClient: "5/min" }],
    ["perClient: ${EMPTY:-5/min}", { perClient: "5/min" }],
    ['answer: { text: "costs $${NAME}" }', { answer: { text: "costs ${NAME}" } }],
    ["answer:\n  errorCode: ${PORT}", { answer: { errorCode: 8080 } }],
    ['answer: { text: "${PORT}" }', { answer: { text: "8080" } }],
  ])("are put in: %s", (text, config) => expect(read(text, env)).toEqual(config));

  it("cannot add anything to the file but their value", () => {
    expect(problemsIn("perClient: ${TRICK}", env)).toEqual([
      expect.stringMatching(/^1:12 perClient \| .*is not a rate/),
    ]);
  });

  it("must be set", () => {
    expect(problemsIn("perClient: ${NOTHING}", env)).toEqual([
      "1:12  | The environment has no variable NOTHING: set it, or write ${NOTHING:-otherwise}.",
    ]);
    expect(problemsIn("perClient: ${not a name}", env)).toEqual([expect.stringContaining("is no variable")]);
  });
});

describe("what is wrong is told with its place and what would be right", () => {
  it.each([
    ["perclient: 60/min", '1:1 perclient | there is no "perclient" here: it knows', 'Did you mean "perClient"?'],
    ["tools:\n  search: 10/mn", '2:11 tools.search | "10/mn" has the unknown period "mn"', '"60/min"'],
    ["tools: { search: 10 }", "1:18 tools.search | this is 10, but it has to be a text, a list or a map.", ""],
    ["tools: { search: { quot: 1/s } }", '1:20 tools.search.quot | there is no "quot" here', 'Did you mean "quota"?'],
    ["tools: { search: {} }", "1:18 tools.search | ", "quota"],
    ["wait: 2 parsecs", '1:7 wait | "2 parsecs" is no duration', "from 0s to 30s"],
    ["wait: 1h", "1:7 wait | 1h is out of range", "from 0s to 30s"],
    ["mode: shadw", '1:7 mode | this is "shadw", but it has to be "enforce" or "shadow".', 'Did you mean "shadow"?'],
    ["store: mysql://x", '1:8 store | "mysql://x" is no store', "redis://"],
    ["onStoreFailure: maybe", '1:17 onStoreFailure | "maybe" is no answer', "share/N"],
    ["methods: { ping: 1/s }", "1:18 methods.ping | ", "must never be refused"],
    ["answer: { errorCode: -32001 }", "1:9 answer | errorCode must be", "-32001"],
    ["perClient:", "1:11 perClient | this is empty", ""],
    ["policies: { a: 1 }", "1:11 policies | this is a map, but it has to be a list.", ""],
    ["policies:\n  - quota: 1/s", '2:5 policies[0].name | "name" is missing: it is a text.', ""],
    ["policies:\n  - name: A\n    quota: 1/s", '2:11 policies[0].name | "A" is no name', "lower-case"],
    ["policies:\n  - name: a", "2:5 policies[0] | this policy limits nothing", "concurrency"],
    [
      "policies:\n  - { name: a, quota: 1/s, key: session }",
      "2:33 policies[0].key | a client writes session as it likes",
      "[client, session]",
    ],
    [
      "policies:\n  - { name: a, quota: 1/s, key: header:x-team }",
      "2:33 policies[0].key | a client writes header:x-team",
      "[client, header:x-team]",
    ],
    [
      "policies:\n  - { name: a, quota: 1/s, key: [client, nobody] }",
      '2:42 policies[0].key[1] | "nobody" is no part of a key',
      "argument:PATH",
    ],
    ["policies:\n  - { name: a, tiers: { free: 1/s } }", '2:23 policies[0].tiers | tiers needs rates for "*"', ""],
    [
      "policies:\n  - { name: a, quota: 1/s }\n  - { name: a, quota: 2/s }",
      '3:13 policies[1].name | there is another policy of the name "a"',
      "policies[0]",
    ],
    [
      "policies:\n  - { name: a, concurrency: 0 }",
      "2:29 policies[0].concurrency | this is 0, but it has to be at least 1.",
      "",
    ],
    ["policies:\n  - { name: a, concurrency: 1.5 }", "2:29 policies[0].concurrency | ", "whole number"],
    ["perClient: 1/s\nperClient: 2/s", "2:1  | This key stands here twice", ""],
    ["a:\n b\n  c: d", "", ""],
    ["tools: {", "1:9  | This is no YAML", ""],
    ["answer: { errorCode: ${PORT} }", "1:23  | This is no YAML", "in quotes"],
    ["loops: { warnAfter: 9 }", "1:8 loops | loops.slowAfter must be", ""],
    ["loops: { warn: 9 }", '1:10 loops.warn | there is no "warn" here', "Did you mean"],
    ["tools: { __proto__: 1/s }", '1:10  | A key cannot be "__proto__"', ""],
    ["upstreams:\n  - { path: /a }", "2:5 upstreams[0] | a server has a url, or a command that starts it.", ""],
    [
      "upstreams:\n  - { url: http://x, command: [node] }",
      "2:5 upstreams[0] | a server has a url or a command, and",
      "",
    ],
    ["upstreams:\n  - { url: http://x, idle: 5s }", "2:28 upstreams[0].idle | idle belongs to a command.", ""],
    ["upstreams:\n  - { command: node }", '2:16 upstreams[0].command | this is "node", but it has to be a list.', ""],
    ["upstreams:\n  - { url: ftp://x }", "2:12 upstreams[0].url | a server behind has a URL", ""],
    ["upstreams:\n  - { path: /a/, url: http://x }", '2:13 upstreams[0].path | "/a/" is no path', "without a slash"],
    [
      "upstreams:\n  - { path: /a, url: http://x }\n  - { path: /a, url: http://y }",
      "3:13 upstreams[1].path | there is another server at /a.",
      "",
    ],
    [
      "upstreams:\n  - { url: http://x }\n  - { path: /a, url: http://y }",
      "2:5 upstreams[0].path | of several servers each has a path.",
      "",
    ],
    ["listen: here", '1:9 listen | "here" is no address', "0.0.0.0:8080"],
    ["- 1", "1:1  | this is a list, but it has to be a map.", ""],
  ])("%s", (text, begin, contains) => {
    const problems = problemsIn(text);
    expect(problems).not.toEqual([]);
    expect(problems[0]).toContain(begin);
    expect(problems[0]).toContain(contains);
  });

  it("all of it at once, in the order of the file, with the line and a mark below", () => {
    const text = "wait: soon\nmode: on\nperClient: x";
    expect(problemsIn(text).map((one) => one.split(" ")[0])).toEqual(["1:7", "2:7", "3:12"]);
    expect(() => read(text)).toThrow('sluice.yaml:1:7: wait: "soon" is no duration');
    expect(() => read(text)).toThrow("\n  1 | wait: soon\n            ^\n");
  });
});

describe("any text", () => {
  const words = fc.constantFrom(
    ..."perClient tools policies name quota match key tiers * 10/min 1/s - : { } [ ] , \n \t & * | > ? ! % @ ` ' \" # ~ null ${X} ${ $${ 0 1e999 << __proto__ constructor toString *a &a".split(
      " ",
    ),
    "  ",
    "\n  ",
    "\n",
    ": ",
    "- ",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(words, { maxLength: 60 }).map((list) => list.join("")),
  );

  it("gives a configuration, or errors that say where", () => {
    fc.assert(
      fc.property(texts, (text) => {
        for (const problem of problemsIn(text)) expect(problem).toMatch(/^[1-9]\d*:[1-9]\d* /);
      }),
      { numRuns: 5_000 },
    );
  });

  it("gives errors with a place whatever value stands anywhere", () => {
    const good = {
      perClient: "1/s",
      tools: { a: { quota: ["1/s"], cost: { argument: "x" } } },
      policies: [{ name: "a", quota: "1/s", match: { not: { tool: "x" } }, tiers: { "*": "1/s" } }],
      answer: { text: "x" },
    };
    fc.assert(
      fc.property(fc.anything(), fc.nat(), (value, seed) => {
        const text = JSON.stringify(good);
        const places = [...text.matchAll(/"(?:[^"\\]|\\.)*"(?!:)/g)];
        const place = places[seed % places.length]!;
        const broken =
          text.slice(0, place.index) + (JSON.stringify(value) ?? "null") + text.slice(place.index + place[0].length);
        for (const problem of problemsIn(broken)) expect(problem).toMatch(/^1:[1-9]\d* /);
      }),
      { numRuns: 2_000 },
    );
  });

  it("cannot be made to take long or much memory", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghij"].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghij"[i]}`).join(",")}]`).join("\n")}`;
    expect(problemsIn(bomb)[0]).toContain("alias");
  });
});

it("has a JSON Schema that tells of every field", () => {
  const schema = jsonSchema() as any;
  expect(schema.properties.policies.items.properties.quota.description).toContain("rate");
  expect(schema.additionalProperties).toBe(false);
  expect(JSON.stringify(schema)).not.toContain('"unrepresentable"');
});
