import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type ClientKind, connect } from "../../../sluice/test/inbound/mcp/clients.ts";
import { runMain } from "./run-main.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const everything = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
const modern = fileURLToPath(new URL("../../../sluice/test/inbound/mcp/stdio-server.ts", import.meta.url));
const quiet = ["--log-level", "silent"];

const gateway = (kind: ClientKind, options: readonly string[], server: readonly string[]) =>
  connect(kind, {
    command: process.execPath,
    args: ["--no-warnings", main, ...quiet, ...options, "--", process.execPath, "--no-warnings", ...server],
  });

describe("the official clients behind `sluice --`", () => {
  it.each(["v1", "v2 legacy"] as const)(
    "use the everything server as without it, and are told what they may not (%s)",
    async (kind) => {
      const client = await gateway(kind, ["--tool", "echo=2/h"], [everything]);
      try {
        const direct = await connect(kind, { command: process.execPath, args: [everything] });
        expect(await client.listTools()).toEqual(await direct.listTools());
        expect(await client.listPrompts()).toEqual(await direct.listPrompts());
        const sum = { name: "get-sum", arguments: { a: 2, b: 40 } };
        expect(await client.callTool(sum)).toEqual(await direct.callTool(sum));
        await direct.close();

        const echo = () => client.callTool({ name: "echo", arguments: { message: "hello" } });
        expect((await echo()).content[0].text).toContain("hello");
        await echo();
        const refused = await echo();
        expect(refused.isError).toBe(true);
        expect(refused.content[0].text).toMatch(/the tool "echo" may be used 2 per hour/);
        expect((await client.callTool(sum)).isError).toBeFalsy();
      } finally {
        await client.close();
      }
    },
  );

  it("speak the new era of the protocol through it", async () => {
    const client = await gateway("v2 modern", ["--tool", "add=1/h"], [modern, "v2"]);
    try {
      const { tools } = await client.listTools();
      const [{ name }] = tools;
      expect(tools.length).toBeGreaterThan(0);
      expect(name).toBeDefined();
    } finally {
      await client.close();
    }
  });
});

describe("a policy file", () => {
  it("takes effect while a client is connected, and a bad one does not", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "sluice-gateway-")), "sluice.yaml");
    writeFileSync(file, "tools: { echo: 1/h }\n");
    const client = await gateway("v2 legacy", ["-c", file], [everything]);
    const echo = async () => (await client.callTool({ name: "echo", arguments: { message: "x" } })).isError ?? false;
    const until = async (wanted: boolean) => {
      while ((await echo()) !== wanted);
    };
    try {
      expect([await echo(), await echo()]).toEqual([false, true]);
      writeFileSync(file, "tools: { echo: nonsense }\n");
      expect(await echo()).toBe(true);
      writeFileSync(file, "tools: { echo: 100000/h }\n");
      await until(false);
      // What was used stays used: one of a hundred thousand is gone, and of one nothing is left.
      writeFileSync(file, "tools: { echo: 1/h }\n");
      await until(true);
    } finally {
      await client.close();
    }
  });
});

describe("the program", () => {
  it.each([
    [["--", process.execPath, "-e", "process.exit(7)"], 7, ""],
    [["--", "no-such-program-anywhere"], 127, "could not be started"],
    [["--"], 2, "stands the command of your server"],
    [[], 2, "Nothing to do"],
    [["--nonsense"], 2, "unknown option"],
    [["--tool", "search", "--", "x"], 2, "--tool is NAME=RATE"],
    [["--tool", "search=fast", "--", "x"], 2, '"fast" is not a rate'],
    [["--store", "mysql://x", "--", "x"], 2, "no store"],
    [["-c", "/nowhere/sluice.yaml", "--", "x"], 2, "there is no such file"],
    [["explain", "--call", "{"], 2, "A call is JSON"],
  ])("says how it went: %j", async (args, code, text) => {
    const ended = await runMain(args);
    expect(ended).toMatchObject({ code, stderr: expect.stringContaining(text), stdout: "" });
  });

  it("ends as the server did: by its signal", async () => {
    const ended = await runMain([...quiet, "--", process.execPath, "-e", "process.kill(process.pid, 'SIGKILL')"]);
    expect(ended.signal).toBe("SIGKILL");
  });

  it("writes a file to begin with that is good, with the tools of the server", async () => {
    const cwd = mkdtempSync(join(tmpdir(), "sluice-init-"));
    const written = await runMain(["init", "--", process.execPath, everything], { cwd });
    expect(written).toMatchObject({ code: 0, stdout: expect.stringContaining("tools of the server") });
    expect(await runMain(["check"], { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/is good: \d+ limits/),
    });
    expect(await runMain(["init"], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("there already"),
    });
    const { stdout } = await runMain(["explain", "--json", "--call", '{"name":"echo"}'], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({
      allowed: true,
      limits: [{ subject: "requests" }, { subject: 'the tool "echo"' }],
    });
  });

  it("explains what would become of a call, to the words that the model would be told", async () => {
    const cwd = mkdtempSync(join(tmpdir(), "sluice-explain-"));
    const policies = `
perClient: 100/min
policies:
  - { name: rows, match: { tool: query }, quota: 1000/h, cost: { argument: limit } }
  - { name: trial, match: { tool: query }, quota: 10/h, mode: shadow }
`;
    writeFileSync(join(cwd, "sluice.yaml"), policies);
    const explain = async (limit: number) => {
      const query = JSON.stringify({ name: "query", arguments: { limit } });
      return (await runMain(["explain", "--client", "key:ann", "--call", query], { cwd })).stdout.trimEnd().split("\n");
    };
    expect(await explain(5_000)).toEqual([
      'tools/call of "query" by client key:ann would be refused:',
      "  ok      perclient.per-minute: 100 per minute; takes 1, 100 left; key key:ann",
      "  over    rows.per-hour: 1000 per hour; takes 5000, 1000 left, never enough; key key:ann",
      "  ok      trial.per-hour (on trial): 10 per hour; takes 1, 9 left; key key:ann",
      expect.stringMatching(/^The model would be told: Rate limit reached: the tool "query" may be used 1000 per hour/),
    ]);
    const passes = await explain(50);
    expect(passes[0]).toContain("would pass");
    expect(passes).toHaveLength(4);
  });
});
