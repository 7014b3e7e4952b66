import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { call, type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";
import { runMain } from "./run-main.ts";
import { startMain } from "./start-main.ts";

const children: ChildProcess[] = [];
let upstream: Recorder;
let folder: string;

beforeEach(async () => {
  upstream = await startRecorder();
  folder = mkdtempSync(join(tmpdir(), "sluice-record-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await upstream.close();
});

const linesOf = (file: string) =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}

it("`--record` writes the calls of a gateway over HTTP, without their arguments", async () => {
  const file = join(folder, "calls.jsonl");
  const { child, url } = await startMain(["--upstream", upstream.url.href, "--tool", "search=1/h", "--record", file]);
  children.push(child);
  const token = { headers: { Authorization: "Bearer very-secret" } };
  await send(url, call(1, "search", { query: "private" }), token);
  await send(url, call(2, "search", { query: "private" }), token);
  await send(url, call(3, "other"), token);
  await stop(child);
  const [head, ...calls] = linesOf(file);
  expect(head).toMatchObject({ sluice: "record", version: 1 });
  expect(calls.map(({ tool, allowed, quota }) => [tool, allowed, quota])).toEqual([
    ["search", undefined, undefined],
    ["search", false, "tools.search.per-hour"],
    ["other", undefined, undefined],
  ]);
  expect(new Set(calls.map(({ client }) => client)).size).toBe(1);
  expect(calls[0].durationMs).toBeGreaterThan(0);
  expect(readFileSync(file, "utf8")).not.toMatch(/secret|private|127\.0\.0\.1/);
});

it("`record` of the policy file does, too; a reload goes on with it and follows the new limits", async () => {
  const file = join(folder, "calls.jsonl");
  const policy = join(folder, "sluice.yaml");
  const record = `record: { file: ${JSON.stringify(file)}, secret: "\${SECRET}", sample: 1 }\n`;
  writeFileSync(policy, `${record}perClient: 60/min\n`);
  const secret = "0123456789abcdef";
  const { child, url, logged } = await startMain(["--upstream", upstream.url.href, "-c", policy], { SECRET: secret });
  children.push(child);
  await send(url, call(1, "search", { size: 5 }));
  writeFileSync(policy, `${record}perClient: { quota: 60/min, cost: { argument: size } }\n`);
  await logged("policies reloaded");
  await send(url, call(2, "search", { size: 5 }));
  await stop(child);
  expect(linesOf(file).map(({ sluice, args, cost }) => sluice ?? [args, cost])).toEqual([
    "record",
    [undefined, undefined],
    "record",
    [{ size: 5 }, 5],
  ]);
});

it("says when the file cannot be opened, and questions do not open it", async () => {
  const there = join(folder, "none", "calls.jsonl");
  const { code, stderr } = await runMain(["--record", there, "--per-client", "1/s", "--", process.execPath, "-e", ""]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("record:")]);
  const file = join(folder, "calls.jsonl");
  const explained = await runMain(["explain", "--record", file, "--per-client", "1/s", "--call", '{"name":"search"}']);
  expect(explained.code).toBe(0);
  expect(existsSync(file)).toBe(false);
});

it.each([
  ["record: { sample: 1 }", '"file" is missing'],
  ["record: { file: a, sample: 2 }", "at most 1"],
  ["record: { file: a, secret: short }", "16 characters"],
  ["record: { file: a, size: 1 }", 'no "size"'],
])("`sluice check` says what is wrong with %s", async (text, message) => {
  const policy = join(folder, "sluice.yaml");
  writeFileSync(policy, `${text}\nperClient: 1/s\n`);
  const { code, stderr } = await runMain(["check", policy]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
});
