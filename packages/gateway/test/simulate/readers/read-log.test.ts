import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMapping } from "../../../src/simulate/readers/mapping.ts";
import { parseOnly } from "../../../src/simulate/readers/only.ts";
import { type ReadLogOptions, readLog } from "../../../src/simulate/readers/read-log.ts";

interface Options extends ReadLogOptions {
  readonly map?: string;
  /** In chunks of so many bytes. */
  readonly chunk?: number;
}

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What a log with this text is read as. */
async function read(text: string | Buffer, { map, chunk = 1 << 16, ...options }: Options = {}) {
  const { batches, stats } = readLog(["log"], {
    mapping: parseMapping(map === undefined ? [] : [map]),
    open: () => inChunks(Buffer.from(text), chunk),
    ...options,
  });
  const calls = [];
  for await (const batch of batches) calls.push(...batch);
  return { calls, stats, bad: stats.badLines.map(({ line, why }) => [line, why] as const) };
}

const AT = Date.UTC(2026, 10, 29, 12, 39, 49);

describe("an access log of nginx", () => {
  const line = (rest = '200 12 "-" "curl/8"', who = "192.0.2.7 - -") =>
    `${who} [29/Nov/2026:12:39:49 +0000] "POST /mcp?x=1 HTTP/1.1" ${rest}`;

  it("says who, when and where, and what was refused", async () => {
    const { calls, stats } = await read(
      [line(), line('429 0 "-" "a"', "192.0.2.8 - ann"), line('200 0 "-" "a" 1.250'), line("200 -")].join("\n"),
    );
    const call = { client: "192.0.2.7", method: "tools/call", path: "/mcp" };
    expect(stats.formats).toEqual(new Set(["nginx"]));
    // What took 1.25 s was written at its end.
    expect(calls).toEqual([
      { ...call, time: AT - 1_250, durationMs: 1_250 },
      { ...call, time: AT },
      { ...call, time: AT, client: "ann", allowed: false },
      { ...call, time: AT },
    ]);
  });

  it("has other lines than calls, which can be left out", async () => {
    const lines = [
      line(),
      line().replace("POST", "GET"),
      line().replace("/mcp", "/health"),
      line().replace("/mcp", "/mcp/a"),
    ];
    const only = parseOnly(["request_method=post", "uri=/mcp*"]);
    const { calls, stats } = await read(lines.join("\n"), { only });
    expect(calls.map(({ path }) => path)).toEqual(["/mcp", "/mcp/a"]);
    expect(stats).toMatchObject({ leftOut: 2, bad: 0 });
    // Nothing but * is a pattern.
    expect((await read(line(), { only: parseOnly(["uri=/mc."]) })).calls).toEqual([]);
    expect(() => parseOnly(["POST"])).toThrow("--only is NAME=PATTERN");
  });

  it("knows the zone, and lines of something else", async () => {
    const { calls, bad } = await read(`${line().replace("12:39:49 +0000", "14:39:49 +0200")}\nnonsense\n`);
    expect(calls[0]!.time).toBe(AT);
    expect(bad).toEqual([[2, "it is no line of an access log (combined)"]]);
  });
});

describe("lines of JSON", () => {
  it("reads what Envoy writes as it is", async () => {
    const line = {
      start_time: "2026-11-29T12:39:49.123456Z",
      duration: 41,
      downstream_remote_address: "192.0.2.7:5123",
      response_code: 429,
      path: "/mcp?a=1",
      method: "POST",
    };
    const { calls, stats } = await read(JSON.stringify(line));
    expect(stats.formats).toEqual(new Set(["json"]));
    expect(calls).toEqual([
      { time: AT + 123.456, client: "192.0.2.7", method: "tools/call", path: "/mcp", durationMs: 41, allowed: false },
    ]);
  });

  it("reads any fields by a mapping: paths, constants, units, arguments, headers and results", async () => {
    const line = {
      at: 1_795_955_989,
      user: { id: 7, plan: "pro" },
      rpc: { name: "search", args: { n: 30, repo: "a" } },
      took: 0.5,
      team: "red",
      rows: "12",
    };
    const map =
      "time=at:s,client=user.id,tier=user.plan,tool=rpc.name,duration=took:s,argument.page.size=rpc.args.n,argument.repo=rpc.args.repo,header.x-team=team,result.rows=rows,method='tools/call',address='192.0.2.1'";
    const { calls } = await read(JSON.stringify(line), { map });
    expect(calls).toEqual([
      {
        time: AT,
        client: "7",
        tier: "pro",
        method: "tools/call",
        tool: "search",
        address: "192.0.2.1",
        durationMs: 500,
        args: { "page.size": 30, repo: "a" },
        headers: { "x-team": "red" },
        result: { rows: 12 },
      },
    ]);
  });

  it("says of each line that is no call why, with its number", async () => {
    const lines = [
      '{"ts":1795955989,"user":"a"}',
      "{",
      "[]",
      '{"user":"a"}',
      '{"ts":"yesterday","user":"a"}',
      '{"ts":1795955989}',
      "",
      "7",
    ];
    const { calls, bad, stats } = await read(lines.join("\n"), { format: "json" });
    expect(calls).toHaveLength(1);
    expect(stats.bad).toBe(6);
    expect(bad.map(([number]) => number)).toEqual([2, 3, 4, 5, 6, 8]);
    expect(bad.map(([, why]) => why)).toEqual([
      expect.stringContaining("it is no JSON"),
      "it is no object of JSON",
      expect.stringContaining("it says no time: looked for time, timestamp"),
      '"yesterday" under "ts" is no time',
      expect.stringContaining("it says no client: looked for client"),
      "it is no object of JSON",
    ]);
  });

  it("keeps the first bad lines, and counts all", async () => {
    const { stats } = await read(`${'{"a":1}\n'.repeat(5_000)}`, { format: "json" });
    expect(stats.bad).toBe(5_000);
    expect(stats.badLines).toHaveLength(10);
  });
});

describe("a record of ours", () => {
  it("is read with what it says of itself", async () => {
    const { calls, stats, bad } = await read(
      [
        '{"sluice":"record","version":1,"time":1795955989000,"sample":0.25,"values":{"costs":["n"],"keys":[]}}',
        '{"time":1795955989000.5,"client":"h","tool":"search","args":{"n":3},"allowed":false}',
        '{"sluice":"lost","lines":7}',
        '{"time":1795955989001,"client":"h","method":"resources/read"}',
        '{"time":1795955989001}',
        '{"time":"now","client":"h"}',
        '{"time":1795955989001,"client":"h","tool":7}',
        '{"time":1795955989001,"client":"h","args":"x"}',
        '{"sluice":"record","version":2}',
        `{"time":1795955989001,"client":"${"x".repeat(3_000)}"}`,
        '{"time":1e300,"client":"h"}',
      ].join("\n"),
    );
    expect(stats.formats).toEqual(new Set(["sluice"]));
    expect(stats.heads).toEqual({ samples: new Set([0.25]), lost: 7 });
    expect([...stats.seen]).toEqual(["argument.n"]);
    expect(calls).toEqual([
      { time: AT + 0.5, client: "h", method: "tools/call", tool: "search", args: { n: 3 }, allowed: false },
      { time: AT + 1, client: "h", method: "resources/read" },
    ]);
    expect(bad.map(([line]) => line)).toEqual([5, 6, 7, 8, 9, 10, 11]);
  });
});

describe("CSV", () => {
  it("has columns by name, quotes, and other things between them", async () => {
    const { calls, stats, bad } = await read(
      '\ufeffts;client;tool;note\r\n2026-11-29T12:39:49Z;ann;search;"a; ""b""\nc"\r\n2026-11-29T12:39:50Z;bob;fetch;\r\n2026-11-29T12:39:51Z;cyd\r\n',
    );
    expect(stats.formats).toEqual(new Set(["csv"]));
    expect(calls.map(({ time, client, tool }) => [time - AT, client, tool])).toEqual([
      [0, "ann", "search"],
      [1_000, "bob", "fetch"],
    ]);
    expect(bad).toEqual([[5, "it has 2 columns, and the first row 4"]]);
  });
});

describe("text", () => {
  it("is read by a pattern", async () => {
    const pattern = /^(?<time>\S+) (?<client>\w+) calls (?<tool>\w+)/;
    const { calls, bad } = await read("2026-11-29T12:39:49Z ann calls search\n# end\n", { format: "text", pattern });
    expect(calls).toEqual([{ time: AT, client: "ann", method: "tools/call", tool: "search" }]);
    expect(bad).toEqual([[2, "the pattern does not fit it"]]);
  });
});

describe("any log", () => {
  const json = (time: number, client = "ann") => JSON.stringify({ time: AT + time, client });

  it("is the same in whatever pieces it comes, also within a character, with any ends of lines", async () => {
    const names = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom("\n", "\r\n"),
        async (clients, chunk, end) => {
          const text = clients.map((client, i) => json(i, client)).join(end);
          const { calls, stats } = await read(text, { chunk, format: "sluice" });
          expect(calls.map(({ client }) => client)).toEqual(clients);
          expect(stats.bad).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is put in order within the window, and what is later than that is taken for now", async () => {
    const times = [0, 5_000, 4_000, 30_000, 29_000, 1_000, 31_000];
    const { calls, stats } = await read(times.map((time) => json(time)).join("\n"), { chunk: 8 });
    expect(calls.map(({ time }) => time - AT)).toEqual([0, 4_000, 5_000, 5_000, 29_000, 30_000, 31_000]);
    expect(stats.order).toMatchObject({ late: 1, latestMs: 4_000 });
    const wide = await read(times.map((time) => json(time)).join("\n"), { chunk: 8, reorderMs: 60_000 });
    expect(wide.calls.map(({ time }) => time - AT)).toEqual([...times].sort((a, b) => a - b));
    expect(wide.stats.order).toMatchObject({ late: 0, moved: 3 });
  });

  it("may be packed, and several are one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-logs-"));
    const [first, second] = [join(folder, "1.gz"), join(folder, "2.jsonl")];
    writeFileSync(first, gzipSync(`${json(0)}\n`));
    writeFileSync(second, json(1));
    const calls = [];
    for await (const batch of readLog([first, second]).batches) calls.push(...batch);
    expect(calls.map(({ time }) => time - AT)).toEqual([0, 1]);
  });

  it.each([
    ["is not there", "/nowhere/calls.jsonl", "there is no such file"],
    ["is a folder", tmpdir(), "cannot be read"],
  ])("says so when it %s", async (_what, file, text) => {
    await expect(readLog([file]).batches[Symbol.asyncIterator]().next()).rejects.toThrow(text);
  });

  it("says that its format has to be named when it looks like none", async () => {
    await expect(read("hello world\n")).rejects.toThrow('begins with "hello world"');
  });

  it("may be empty", async () => {
    expect((await read("")).calls).toEqual([]);
    expect((await read("\n\n")).calls).toEqual([]);
  });

  it("is read past lines without end", async () => {
    const long = "x".repeat(1_000_001);
    const { calls, bad } = await read([json(0), long, long + long, json(1), long].join("\n"), { chunk: 100_000 });
    expect(calls).toHaveLength(2);
    expect(bad.map(([line]) => line)).toEqual([2, 3, 5]);
    expect(bad[0]![1]).toContain("longer than 1000000 characters");
  });
});
