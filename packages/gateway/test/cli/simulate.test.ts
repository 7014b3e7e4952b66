import { spawn } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { call, send, startRecorder } from "../proxy/http/gateway.ts";
import { runMain } from "./run-main.ts";
import { startMain } from "./start-main.ts";

const AT = Date.UTC(2026, 10, 23, 8);
let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "sluice-simulate-"));
  writeFileSync(join(cwd, "old.yaml"), "perClient: 4/min\n");
  writeFileSync(join(cwd, "new.yaml"), "perClient: 2/min\n");
  const lines = [0, 1, 2, 3, 4].map((second) =>
    JSON.stringify({ time: AT + second * 1000 + 0.5, client: "ann", tool: "search" }),
  );
  writeFileSync(join(cwd, "calls.jsonl"), `${[...lines, "{}"].join("\n")}\n`);
});

const simulate = (...args: readonly string[]) => runMain(["simulate", ...args], { cwd });

describe("`sluice simulate`", () => {
  it("says for people who, when and for how long, and what is different", async () => {
    const { code, stdout, stderr } = await simulate("--policy", "new.yaml", "--against", "old.yaml", "calls.jsonl");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("5 calls of 1 clients");
    expect(stdout).toMatch(/refused +1 → 3 +20 % → 60 %/);
    expect(stdout).toMatch(/ann +5 +1 → 3 +\+2 +2026-11-23T08:00:02 +58 s +58 s +perclient\.per-minute/);
    expect(stdout).toContain("calls.jsonl:6: it has no time");
    expect(stdout).toContain("Clients do here what they did in the log.");
  });

  it("says the same for programs", async () => {
    const { stdout } = await simulate("--policy", "new.yaml", "--against", "old.yaml", "--json", "calls.jsonl");
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      version: 1,
      policy: "new.yaml",
      comparedWith: "old.yaml",
      from: "2026-11-23T08:00:00.000Z",
      figures: { calls: 5, refused: 3, was_refused: 1, newly_refused: 2, clients: 1, refused_clients: 1, bad_lines: 1 },
      limits: [{ limit: "perclient.per-minute", refused: 3, firstAt: "2026-11-23T08:00:02.000Z" }],
      clients: [{ client: "ann", newlyRefused: 2, limitedMs: 58_000 }],
    });
  });

  it.each([
    [["--fail-if", "refused > 50%"], 3, "--fail-if: refused > 50%"],
    [["--fail-if", "refused > 60%"], 0, ""],
    [["--fail-if", "refused > 99%", "--fail-if", "bad_lines > 0"], 3, "--fail-if: bad_lines > 0"],
    [["--fail-if", "refsed > 1"], 2, 'no figure "refsed"'],
    [["--map", "user=id"], 2, 'A call has no "user"'],
    [["--format", "text"], 2, "--format text needs a --pattern"],
    [["--format", "text", "--pattern", "("], 2, "--pattern: "],
    [["--clients", "angry"], 2, "open, wait, retry"],
    [["--policy", "none.yaml"], 2, "there is no such file"],
    [["--only", "POST"], 2, "--only is NAME=PATTERN"],
    [["--suggest", "150"], 2, "It is a percentage"],
    [["--html", "none/report.html"], 1, "cannot be written"],
    [["none.jsonl"], 2, "The log none.jsonl cannot be read: there is no such file"],
  ])("ends as it should with %j", async (args, code, text) => {
    const policy = args.includes("--policy") ? [] : ["--policy", "new.yaml"];
    const ran = await simulate(...policy, ...args, "calls.jsonl");
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringContaining(text)]);
  });

  it("fails on a log without calls", async () => {
    writeFileSync(join(cwd, "empty.jsonl"), "");
    const { code, stdout } = await simulate("--policy", "new.yaml", "empty.jsonl");
    expect([code, stdout]).toEqual([1, expect.stringContaining("The log has no calls.")]);
  });

  it("writes a report, suggests limits, and reads what is packed", async () => {
    writeFileSync(join(cwd, "calls.gz"), gzipSync(readFileSync(join(cwd, "calls.jsonl"))));
    const { stdout } = await simulate(
      "--policy",
      "new.yaml",
      "--suggest",
      "0",
      "--html",
      "report.html",
      "--json",
      "calls.gz",
    );
    expect(JSON.parse(stdout).suggestions).toEqual([
      { limit: "perClient", now: "2/min", smallest: "5/min", calls: 5, refused: 0, oneLess: 1 },
    ]);
    expect(existsSync(join(cwd, "report.html"))).toBe(true);
    const table = await simulate("--policy", "new.yaml", "--suggest", "0", "calls.gz");
    expect(table.stdout).toMatch(/perClient +all +2\/min +5\/min +5 +0 \(0 %\) +1 \(20 %\)/);
  });

  it("reads standard input, and an access log of nginx", async () => {
    const line = (second: number, status: number) =>
      `192.0.2.7 - - [23/Nov/2026:08:00:0${second} +0000] "POST /mcp HTTP/1.1" ${status} 5 "-" "curl"\n`;
    writeFileSync(join(cwd, "access.log"), [line(0, 200), line(1, 200), line(2, 200), line(3, 429)].join(""));
    const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
    const args = ["--no-warnings", main, "simulate", "--policy", "new.yaml", "--json", "-"];
    const child = spawn(process.execPath, args, { cwd, stdio: ["pipe", "pipe", "inherit"] });
    createReadStream(join(cwd, "access.log")).pipe(child.stdin);
    const report = JSON.parse(await textOf(child.stdout));
    expect(report.figures).toMatchObject({ calls: 4, refused: 2, was_refused: 1, newly_refused: 1, newly_allowed: 0 });
    expect(report.clients[0].client).toBe("192.0.2.7");
    expect(report.notes).toContainEqual(expect.stringContaining("The times are whole seconds"));
    const twice = await simulate("--policy", "new.yaml", "--suggest", "--json", "-");
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining("it has to be a file")]);
  });

  it("decides about what a gateway has recorded as that gateway did", async () => {
    const policy = join(cwd, "live.yaml");
    const file = join(cwd, "live.jsonl");
    writeFileSync(
      policy,
      "perClient: 40/h\ntools: { search: 5/h }\npolicies: [{ name: rows, quota: 30/h, cost: { argument: rows } }]\n",
    );
    const upstream = await startRecorder();
    const { child, url } = await startMain(["--upstream", upstream.url.href, "-c", policy, "--record", file]);
    const passed: boolean[] = [];
    try {
      for (let i = 0; i < 40; i++) {
        const { json } = await send(url, call(i, i % 4 === 0 ? "search" : "fetch", { rows: i % 3 }));
        passed.push(json.result.isError !== true);
      }
    } finally {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await exited;
      await upstream.close();
    }
    const refused = passed.filter((one) => !one).length;
    expect(refused).toBeGreaterThan(5);
    const { figures } = JSON.parse((await simulate("--policy", policy, "--json", file)).stdout);
    expect(figures).toMatchObject({ calls: 40, refused, was_refused: refused, newly_refused: 0, newly_allowed: 0 });
  });

  it("does with the example what its page shows", async () => {
    const root = fileURLToPath(new URL("../../../..", import.meta.url));
    const page = readFileSync(join(root, "docs/simulate.md"), "utf8");
    const [table = "", suggestions = ""] = [...page.matchAll(/^```text\n(.*?)^```$/gms)].map(([, text]) => text);
    const policy = page.match(/^```yaml\n(perClient.*?)^```$/ms)![1];
    const example = join(root, "examples/simulate");
    expect(policy).toBe(readFileSync(join(example, "new.yaml"), "utf8"));
    const run = (...args: readonly string[]) =>
      runMain(["simulate", "--policy", "new.yaml", ...args, "calls.jsonl"], { cwd: example });
    expect((await run("--against", "old.yaml")).stdout).toBe(table);
    expect((await run("--suggest", "1")).stdout).toContain(suggestions);
  });

  it("says what the policy looks at and the log does not have", async () => {
    writeFileSync(
      join(cwd, "rows.yaml"),
      "policies: [{ name: a, quota: 9/min, cost: { argument: rows }, key: [client, 'header:X-Team'] }]\n",
    );
    const { notes } = JSON.parse((await simulate("--policy", "rows.yaml", "--json", "calls.jsonl")).stdout);
    expect(notes).toContainEqual(expect.stringContaining("No call of the log has argument.rows, header.x-team"));
    const whole = JSON.parse((await simulate("--policy", "new.yaml", "--json", "calls.jsonl")).stdout);
    expect(whole.notes).toEqual([
      expect.stringContaining("Clients do here"),
      "1 lines of the log are no calls, and were left out.",
    ]);
  });

  it("lets no name of a client talk to the terminal", async () => {
    const evil = "\u001b[2J\u009b31m\u202eann";
    const line = JSON.stringify({ time: AT, client: evil, tool: evil, tier: evil });
    writeFileSync(join(cwd, "evil.jsonl"), `${line}\n${line}\n${line}\n{"time":7}\n\u001b[2J\n`);
    const { stdout, code } = await simulate("--policy", "new.yaml", "--format", "sluice", "evil.jsonl");
    expect(code).toBe(0);
    expect(stdout).toContain("\ufffd[2J\ufffd31m\ufffdann");
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  it("is in the help", async () => {
    expect((await runMain(["--help"])).stdout).toContain("sluice simulate --policy new.yaml calls.jsonl");
    const { stdout } = await runMain(["simulate", "--help"]);
    for (const option of ["--against", "--map", "--clients", "--fail-if", "--suggest", "--html"])
      expect(stdout).toContain(option);
  });
});
