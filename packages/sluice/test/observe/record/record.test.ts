import { createHmac } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore } from "sluice";
import { createMcpGate, type McpRateLimitOptions } from "sluice/mcp";
import { type CallRecord, type RecordOptions, recordCalls } from "sluice/record";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it } from "vitest";

const SECRET = "a secret of some length";
const hashOf = (kind: string, text: string) =>
  createHmac("sha256", SECRET).update(`${kind}\0${text}`).digest().subarray(0, 12).toString("base64url");

const opened: CallRecord[] = [];
afterEach(async () => {
  for (const record of opened.splice(0)) await record.close();
});

let id = 0;
function scene(limits: McpRateLimitOptions, options: Partial<RecordOptions> = {}) {
  const clock = manualClock({ wall: new Date("2026-01-01T00:00:00Z") });
  const file = join(mkdtempSync(join(tmpdir(), "sluice-record-")), "calls.jsonl");
  const record = recordCalls({ file, secret: SECRET, limits, clock, ...options });
  opened.push(record);
  const gate = createMcpGate({ ...limits, store: memoryStore({ clock }), onCall: record.onCall });
  const request = (tool: string, args: object = {}) =>
    ({ jsonrpc: "2.0", id: ++id, method: "tools/call", params: { name: tool, arguments: args } }) as const;
  /** Calls a tool, which takes so long. */
  const call = async (client: string, tool: string, { args = {}, ms = 0, result = {} as unknown, ...origin } = {}) => {
    const one = request(tool, args);
    const admission = await gate.admit([one], { connection: client, ...origin });
    if (admission.refusal !== undefined) return;
    await clock.advance(ms);
    if (result === undefined) gate.sawFailure(one);
    else gate.sawAnswer(one, { connection: client, ...origin }, result);
    admission.finish();
  };
  const lines = async () => {
    await record.close();
    return readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  };
  return { clock, file, record, gate, request, call, lines };
}

const AT = Date.parse("2026-01-01T00:00:00Z");

describe("recordCalls", () => {
  it("writes one line for each call, with who, when, what, how long and what came of it", async () => {
    const { call, lines, clock } = scene({ perClient: "2/min" });
    await call("ann", "search", { ms: 12.5 });
    await clock.advance(100);
    await call("ann", "search", { result: { isError: true } });
    await call("ann", "fetch");
    const [head, ...calls] = await lines();
    expect(head).toMatchObject({ sluice: "record", version: 1, sample: 1, time: AT });
    const client = hashOf("client", "ann");
    expect(calls).toEqual([
      { time: AT, client, tool: "search", durationMs: 12.5 },
      { time: AT + 112.5, client, tool: "search", durationMs: 0, outcome: "tool_error" },
      { time: AT + 112.5, client, tool: "fetch", allowed: false, quota: "perclient.per-minute", retryAfterMs: 59_888 },
    ]);
  });

  it("writes calls that fall under no limit, and not what is never limited", async () => {
    const { gate, call, lines } = scene({ tools: { search: "1/min" } });
    await call("ann", "other");
    for (const method of ["ping", "tools/list", "resources/read", "prompts/get"]) {
      const params = { uri: "file:///secret/plans", name: "greet" };
      const one = { jsonrpc: "2.0", id: ++id, method, params } as const;
      await gate.admit([one], { connection: "ann" });
      gate.sawAnswer(one, { connection: "ann" }, { code: -32_603, message: "no" });
    }
    const [, ...calls] = await lines();
    expect(calls.map(({ method, tool, prompt, outcome }) => [method, tool, prompt, outcome])).toEqual([
      [undefined, "other", undefined, undefined],
      ["tools/list", undefined, undefined, "error"],
      ["resources/read", undefined, undefined, "error"],
      ["prompts/get", undefined, "greet", "error"],
    ]);
    expect(calls[1].errorCode).toBe(-32_603);
    expect(calls[2].resource).toBe(hashOf("resource", "file:///secret/plans"));
  });

  it("writes of arguments, headers and results only what limits look at, and hashes what is a key", async () => {
    const { call, lines, file } = scene({
      policies: [
        { name: "pages", quota: "100/min", cost: { argument: "page.size", per: 10 } },
        { name: "repos", quota: "9/min", key: ["client", "argument:repo", "header:X-Team"] },
        { name: "rows", quota: "1000/min", settle: { result: "structuredContent.rows" } },
      ],
    });
    await call("bearer-token-of-ann", "search", {
      args: { page: { size: "30" }, repo: "private/repo", query: "my password" },
      result: { structuredContent: { rows: [1, 2, 3], text: "the answer" } },
      ...{
        headers: new Headers({ "x-team": "red team", authorization: "Bearer abc" }),
        address: "192.0.2.7",
        sessionId: "s-1",
      },
    } as object);
    const [head, line] = await lines();
    expect(head.values).toEqual({
      costs: ["page.size"],
      keys: ["repo"],
      headers: ["x-team"],
      results: ["structuredContent.rows"],
    });
    expect(line).toEqual({
      time: AT,
      client: hashOf("client", "bearer-token-of-ann"),
      tool: "search",
      address: hashOf("address", "192.0.2.7"),
      session: hashOf("session", "s-1"),
      headers: { "x-team": hashOf("header", "8:red team") },
      args: { "page.size": 30, repo: `#${hashOf("argument", "12:private/repo")}` },
      cost: 3,
      durationMs: 0,
      result: { "structuredContent.rows": 3 },
    });
    const text = readFileSync(file, "utf8");
    for (const secret of ["ann", "password", "private", "red team", "Bearer", "192.0", "the answer", "s-1"]) {
      expect(text).not.toContain(secret);
    }
  });

  it("records all calls of the sampled clients, and none of the others", async () => {
    const { call, lines, record } = scene({ perClient: "60/min" }, { sample: 0.3 });
    for (let round = 0; round < 3; round++) for (let i = 0; i < 200; i++) await call(`client ${i}`, "search");
    const { leftOut } = record.stats();
    const [head, ...calls] = await lines();
    expect(head.sample).toBe(0.3);
    const counts = new Map<string, number>();
    for (const { client } of calls) counts.set(client, (counts.get(client) ?? 0) + 1);
    expect([...counts.values()].every((count) => count === 3)).toBe(true);
    // By the secret above: a third of them, more or less.
    expect(counts.size).toBeGreaterThan(40);
    expect(counts.size).toBeLessThan(80);
    expect(leftOut).toBe(600 - 3 * counts.size);
  });

  it("writes in the order in which calls came, and does not wait for those that never end", async () => {
    const { gate, request, call, clock, record, lines } = scene({ perClient: "60/min" });
    await gate.admit([request("stuck")], { connection: "ann" });
    await clock.advance(10);
    await call("ann", "quick", { ms: 5 });
    expect(record.stats()).toMatchObject({ held: 2, written: 0 });
    await clock.advance(60_000);
    expect(record.stats()).toMatchObject({ held: 0, written: 2 });
    const [, ...calls] = await lines();
    expect(calls.map(({ tool, durationMs }) => [tool, durationMs])).toEqual([
      ["stuck", undefined],
      ["quick", 5],
    ]);
  });

  it("loses what does not fit, says so in the file, and fails no call", async () => {
    const errors: Error[] = [];
    const { call, record, lines } = scene(
      { perClient: "60/min" },
      { maxBufferedBytes: 400, onError: (error) => errors.push(error) },
    );
    // In one turn: nothing is written meanwhile.
    const calls = Array.from({ length: 20 }, () => call("ann", "search", { ms: 0 }));
    await Promise.all(calls);
    await record.flush();
    const { lost } = record.stats();
    expect(lost).toBeGreaterThan(0);
    await call("ann", "search");
    const all = await lines();
    const said = all.filter(({ sluice }) => sluice === "lost").map(({ lines: count }) => count);
    expect(said.reduce((sum, count) => sum + count, 0)).toBe(lost);
    expect(all.filter(({ tool }) => tool === "search")).toHaveLength(21 - lost);
    expect(errors).toEqual([]);
  });

  it("stops at the greatest size of the file", async () => {
    const errors: Error[] = [];
    const { call, record, file } = scene(
      { perClient: "60/min" },
      { maxFileBytes: 500, onError: (error) => errors.push(error) },
    );
    for (let i = 0; i < 20; i++) await call("ann", "search");
    await record.close();
    expect(statSync(file).size).toBeLessThanOrEqual(500);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("is full")]);
    expect(record.stats().lost).toBeGreaterThan(0);
  });

  it("goes on when the file is emptied, as logrotate does it with copytruncate", async () => {
    const errors: Error[] = [];
    const { call, record, file } = scene(
      { perClient: "60/min" },
      { maxFileBytes: 500, onError: (error) => errors.push(error) },
    );
    for (let i = 0; i < 10; i++) await call("ann", "search");
    await record.flush();
    truncateSync(file);
    // A full file is not looked at for each line.
    for (let i = 0; i < 100; i++) await call("bob", "search");
    await record.close();
    const { written } = record.stats();
    expect(statSync(file).size).toBeGreaterThan(0);
    expect(statSync(file).size).toBeLessThanOrEqual(500);
    expect(readFileSync(file, "utf8").trim().split("\n").length).toBeLessThan(written);
    expect(errors).toHaveLength(2);
  });

  it("leaves out what is let through uncharged", async () => {
    const { call, lines, record } = scene({
      perClient: "60/min",
      client: ({ connection }) => (connection === "free" ? undefined : connection),
    });
    await call("free", "search");
    await call("ann", "search");
    expect(await lines()).toHaveLength(2);
    expect(record.stats()).toMatchObject({ written: 1, leftOut: 0, held: 0 });
  });

  it("is for the owner's eyes alone, and adds to what is there", async () => {
    const { file, record } = scene({ perClient: "60/min" });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await record.close();
    chmodSync(file, 0o644);
    const again = recordCalls({ file });
    await again.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(2);
    const link = `${file}.link`;
    symlinkSync(file, link);
    expect(() => recordCalls({ file: link })).toThrow(/ELOOP|EMLINK/);
  });

  it("follows the limits of a reload", async () => {
    const { call, record, lines } = scene({ perClient: "60/min" });
    await call("ann", "search", { args: { size: 5 } });
    record.use({ tools: { search: { quota: "9/min", cost: { argument: "size" } } } });
    await call("ann", "search", { args: { size: 5 } });
    const all = await lines();
    expect(all.map(({ sluice, args }) => sluice ?? args ?? null)).toEqual(["record", null, "record", { size: 5 }]);
  });

  it("hears of calls that the loop guard refuses, and makes repetitions visible", async () => {
    const { call, lines } = scene({ perClient: "60/min", loops: { warnAfter: 2, slowAfter: 50, stopAfter: 50 } });
    await call("ann", "search", { args: { q: 1 }, result: { content: [1] } });
    await call("ann", "search", { args: { q: 1 }, result: { content: [1] } });
    await call("ann", "search", { args: { q: 1 }, result: { content: [1] } });
    await call("ann", "search", { args: { q: 2 }, result: { content: [1] } });
    const [, , a, b, c] = await lines();
    expect(b).toMatchObject({ allowed: false, quota: "loop", same: a.same });
    expect(c).toMatchObject({ sameResult: a.sameResult });
    expect(c.same).not.toBe(a.same);
  });

  it.each([
    [{ sample: 1.5 }, "sample is a number from 0 to 1"],
    [{ secret: "short" }, "16 characters"],
    [{ file: "" }, "name of a file"],
    [{ maxFileBytes: 0.5 }, "maxFileBytes"],
  ])("refuses %j", (options, text) => {
    const file = join(mkdtempSync(join(tmpdir(), "sluice-record-")), "calls.jsonl");
    expect(() => recordCalls({ file, ...options })).toThrow(text);
  });

  it("says when the file cannot be opened", () => {
    const file = join(mkdtempSync(join(tmpdir(), "sluice-record-")), "plain");
    writeFileSync(file, "");
    expect(() => recordCalls({ file: join(file, "below") })).toThrow("ENOTDIR");
  });
});
