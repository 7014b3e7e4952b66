import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client as V2Client, StreamableHTTPClientTransport as V2Http } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Http } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { readRefusal } from "sluice/mcp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startRedis } from "../../../packages/sluice/test/stores/redis/server.ts";

// The demo server as a newcomer runs it: a process of its own, the official clients, plain HTTP.

const main = join(import.meta.dirname, "../src/main.ts");
let folder: string;
const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-demo-"));
});
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

const environment = (given: Record<string, string> = {}) =>
  ({ ...process.env, INIT_CWD: folder, PORT: "0", ...given }) as Record<string, string>;

function start(given: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, ["--no-warnings", main], { env: environment(given), stdio: "pipe" });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  cleanup.push(() => {
    child.kill("SIGTERM");
    return exited;
  });
  return child;
}

/** The address that the server prints when it listens. */
async function serving(given?: Record<string, string>): Promise<string> {
  const child = start(given);
  let output = "";
  for await (const chunk of child.stdout!) {
    output += chunk;
    const [, base] = /Listening on (\S+)\. Try it/.exec(output) ?? [];
    if (base === undefined) continue;
    child.stdout!.resume();
    expect(output.match(/^ {2}(curl|for|npm)/gm)).toHaveLength(3);
    return base;
  }
  throw new Error(`The server ended: ${output}`);
}

/** How it ends when it must not start. */
async function failing(given: Record<string, string>): Promise<{ code: number | null; error: string }> {
  const child = start(given);
  let error = "";
  child.stderr!.on("data", (chunk) => {
    error += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, error };
}

describe("over HTTP", () => {
  it("limits / and /stats together at 20 per minute, and /health never", async () => {
    const base = await serving();
    const statuses: number[] = [];
    for (let i = 0; i < 22; i++) statuses.push((await fetch(`${base}${i % 2 ? "/" : "/stats?x=1"}`)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect(statuses.slice(20)).toEqual([429, 429]);
    const refused = await fetch(base);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ status: 429, "violated-policies": ["per-minute"] });
    for (let i = 0; i < 30; i++) expect((await fetch(`${base}/health`)).status).toBe(200);
    expect((await fetch(`${base}/nothing`)).status).toBe(404);
  });

  it("reports decisions per quota and the busiest keys at /stats", async () => {
    const base = await serving({ RATE_LIMIT_HTTP_LIMIT: "2", RATE_LIMIT_HTTP_WINDOW: "3600" });
    await fetch(base);
    const report = await (await fetch(`${base}/stats`)).json();
    expect(report).toEqual({
      allowed: 2,
      refused: 0,
      quotas: { "per-hour": { allowed: 2, refused: 0 } },
      busiestKeys: [{ key: expect.stringContaining("127.0.0.1"), calls: 2 }],
    });
    expect((await fetch(base)).status).toBe(429);
  });

  const clients = {
    "SDK v1": async (url: URL): Promise<any> => {
      const client = new V1Client({ name: "test", version: "1.0.0" });
      await client.connect(new V1Http(url) as any);
      return client;
    },
    "SDK v2, 2025 era": (url: URL) => v2(url, "legacy"),
    "SDK v2, 2026-07-28": (url: URL) => v2(url, { pin: "2026-07-28" }),
  };
  async function v2(url: URL, mode: unknown): Promise<any> {
    const client = new V2Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } } as any);
    await client.connect(new V2Http(url));
    return client;
  }

  it.each(Object.entries(clients))("shows %s honest limits on tools", async (_name, connect) => {
    const base = await serving({ RATE_LIMIT_MCP_DEFAULT_LIMIT: "4", LOG_LEVEL: "debug" });
    const client = await connect(new URL(`${base}/mcp`));
    cleanup.push(() => client.close());
    const call = (name: string, args = {}) => client.callTool({ name, arguments: args });
    for (let i = 0; i < 3; i++) expect((await call("get_time")).isError).toBeFalsy();
    const refused = await call("get_time");
    expect(refused.content[0].text).toMatch(
      /"get_time" may be used 3 per 10 seconds.*Wait \d+ seconds?, then repeat this call once/,
    );
    expect(readRefusal(refused)).toMatchObject({
      rate_limited: true,
      limit: 3,
      remaining: 0,
      quota: "tools.get_time.per-10-seconds",
    });
    for (let i = 0; i < 4; i++) expect((await call("echo", { text: "secret" })).content[0].text).toBe("secret");
    expect(readRefusal(await call("echo", { text: "secret" }))).toMatchObject({
      limit: 4,
      quota: "tools.other.per-minute",
    });
    const slow = await Promise.all([1, 2, 3].map(() => call("slow_report", { seconds: 0.2 })));
    expect(slow.filter(({ isError }) => isError)).toHaveLength(1);
    expect((await fetch(base)).headers.get("ratelimit")).toContain("r=19");
    const log = readFileSync(join(folder, "rate_limiting.log"), "utf8");
    expect(log).toMatch(
      /"level":40,.*"client":"address:9:127\.0\.0\.1","quota":"tools\.get_time\.per-10-seconds".*retry after \d+ ms/,
    );
    expect(log).toMatch(/"level":20,.*1\/3 used of tools\.get_time/);
    expect(log).not.toContain("secret");
  });

  it("shows at /dashboard, to whoever has the token, what becomes of calls of tools", async () => {
    const base = await serving({ DASHBOARD_TOKEN: "a-token-of-this-test" });
    const client = await v2(new URL(`${base}/mcp`), "auto");
    cleanup.push(() => client.close());
    for (let i = 0; i < 4; i++) await client.callTool({ name: "get_time", arguments: {} });
    const page = await fetch(`${base}/dashboard`);
    expect([page.status, page.url]).toEqual([200, `${base}/dashboard/`]);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await page.text()).toContain("<title>Sluice</title>");
    const ask = (token: string, path: string, init: object = {}) =>
      fetch(`${base}/dashboard/api/v1/${path}`, { ...init, headers: { Authorization: `Bearer ${token}` } });
    expect((await ask("another-token", "clients")).status).toBe(401);
    const shown = async (path: string, init?: object) => (await ask("a-token-of-this-test", path, init)).json();
    const { clients } = await shown("clients");
    expect(clients).toMatchObject([{ passed: 3, refused: 1, tightest: { policy: "tools.get_time", remaining: 0 } }]);
    const override = { limit: "tools.get_time", client: clients[0].client, quota: "unlimited", for: "1h" };
    await shown("overrides", { method: "POST", body: JSON.stringify(override) });
    expect((await client.callTool({ name: "get_time", arguments: {} })).isError).toBeFalsy();
  });

  it("tells another site's page nothing", async () => {
    const base = await serving();
    const { status } = await fetch(`${base}/mcp`, {
      method: "POST",
      headers: { origin: "https://evil.example" },
      body: "{}",
    });
    expect(status).toBe(403);
  });
});

it("serves the same tools over stdio", async () => {
  const client = new V2Client({ name: "test", version: "1.0.0" });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ["--no-warnings", main, "--stdio"],
    env: environment(),
    stderr: "ignore",
  });
  await client.connect(transport);
  cleanup.push(() => client.close());
  for (let i = 0; i < 3; i++) expect((await client.callTool({ name: "get_time" })).isError).toBeFalsy();
  expect((await client.callTool({ name: "get_time" })).isError).toBe(true);
  expect((await client.callTool({ name: "echo", arguments: { text: "hi" } })).content).toEqual([
    { type: "text", text: "hi" },
  ]);
});

describe("one limit for several servers", () => {
  const passes = async (bases: readonly string[]) => {
    const statuses = await Promise.all(
      Array.from({ length: 24 }, async (_, i) => (await fetch(bases[i % bases.length]!)).status),
    );
    return statuses.filter((status) => status === 200).length;
  };

  it("in a file", async () => {
    const STORE = `sqlite:${join(folder, "limits.db")}`;
    expect(await passes(await Promise.all([serving({ STORE }), serving({ STORE })]))).toBe(20);
  });

  it("in Redis, and calls are answered 503 while that is away", async () => {
    const redis = await startRedis();
    cleanup.push(() => redis.stop());
    const STORE = redis.url;
    const bases = await Promise.all([serving({ STORE }), serving({ STORE })]);
    expect(await passes(bases)).toBe(20);
    await redis.kill();
    const outage = await fetch(bases[0]!);
    expect(outage.status).toBe(503);
    expect(Number(outage.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await fetch(`${bases[0]}/health`)).status).toBe(200);
  });
});

it("does not start over a store that cannot be opened", async () => {
  const file = await failing({ STORE: `sqlite:${join(folder, "missing", "limits.db")}` });
  expect(file).toMatchObject({ code: 1, error: expect.stringContaining("does not exist") });
  const redis = await failing({ STORE: "redis://127.0.0.1:1" });
  expect(redis).toMatchObject({ code: 1, error: expect.stringContaining("STORE cannot be opened") });
});

describe("a wrong environment stops the start with a clear message", () => {
  it.each([
    ["RATE_LIMIT_HTTP_LIMIT", "zero"],
    ["RATE_LIMIT_HTTP_LIMIT", "0"],
    ["RATE_LIMIT_HTTP_WINDOW", "-1"],
    ["RATE_LIMIT_MCP_DEFAULT_LIMIT", "1.5"],
    ["RATE_LIMIT_MCP_DEFAULT_WINDOW", "1e99"],
    ["PORT", "70000"],
    ["LOG_LEVEL", "loud"],
    ["STORE", "postgres://localhost"],
  ])("%s=%s", async (name, value) => {
    const { code, error } = await failing({ [name]: value });
    expect(code).toBe(1);
    expect(error).toContain(`${name} must be`);
    expect(error).toContain(JSON.stringify(value));
  });
});
