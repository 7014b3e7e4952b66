import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { promtool } from "../../../../scripts/prometheus.ts";
import { gatewayMetrics } from "../../src/metrics.ts";
import { startMain } from "../cli/start-main.ts";
import { call, type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";

const TOKEN = "correct horse battery staple";
const POLICY = `
store: sqlite:STORE
wait: 1s
perClient: 100/h
tools:
  search: 2/h
policies:
  - { name: trial, quota: 1/h, mode: shadow }
`;

const children: ChildProcess[] = [];
let upstream: Recorder;
let checker: string;

beforeAll(() => {
  checker = promtool();
}, 300_000);

beforeEach(async () => {
  upstream = await startRecorder();
  upstream.answer = (_request, response, body) => {
    const { id = null, method } = JSON.parse(body.toString());
    const result = method === "tools/list" ? { tools: [{ name: "search" }, { name: "fetch" }] } : {};
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  };
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await upstream.close();
});

async function start() {
  const folder = mkdtempSync(join(tmpdir(), "sluice-metrics-"));
  const file = join(folder, "secret-name.yaml");
  writeFileSync(file, POLICY.replace("STORE", join(folder, "secret.sqlite")));
  const started = await startMain(["--upstream", upstream.url.href, "-c", file], { SLUICE_ADMIN_TOKEN: TOKEN });
  children.push(started.child);
  const scrape = (headers: object = {}) => send(started.admin, undefined, { method: "GET", path: "/metrics", headers });
  /** The samples of one metric: the labels and the value of each. */
  const samples = async (name: string) => {
    const lines = (await scrape()).text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.map((line) => line.slice(name.length));
  };
  return { ...started, file, scrape, samples };
}

describe("GET /metrics", () => {
  it("tells what was decided, what the store was asked and how it stands, and promtool has nothing to say", async () => {
    const { url, scrape, samples } = await start();
    for (let id = 1; id <= 3; id++) await send(url, call(id, "search"));
    await send(url, call(4, "fetch", { token: "hunter2" }));
    await send(url, '{"jsonrpc":"2.0","id":5,"method":"tools/list"}');
    await send(url, call(6, "fetch"));
    await send(url, call(7, "made-up"));
    const { status, headers, text } = await scrape();
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    const checked = spawnSync(checker, ["check", "metrics"], {
      input: text.replaceAll(/^(# (HELP|TYPE) )?(nodejs|process)_.*\n/gm, ""),
      encoding: "utf8",
    });
    expect(checked.stdout + checked.stderr).toBe("");

    const method = 'method="tools/call",tier=""';
    expect(await samples("sluice_decisions_total")).toEqual(
      expect.arrayContaining([
        `{decision="allow",kind="rate",policy="tools.search",tool="search",${method}} 2`,
        `{decision="deny",kind="rate",policy="tools.search",tool="search",${method}} 1`,
        `{decision="shadow_deny",kind="rate",policy="trial",tool="search",${method}} 1`,
        // Before a client had asked for the list of tools, and after.
        `{decision="allow",kind="rate",policy="perClient",tool="other",${method}} 2`,
        `{decision="allow",kind="rate",policy="perClient",tool="fetch",${method}} 1`,
      ]),
    );
    expect(await samples("sluice_limit")).toContain(
      '{policy="tools.search",quota="tools.search.per-hour",mode="enforce"} 2',
    );
    expect(await samples("sluice_store_up")).toEqual(['{store="sqlite"} 1']);
    expect((await samples("sluice_store_calls_total"))[0]).toMatch(/^\{store="sqlite",operation="\w+"\} \d+$/);
    expect(await samples("sluice_gateway_upstream_up")).toEqual(['{path="/mcp"} 1']);
    expect(await samples("sluice_config_info")).toEqual(['{mode="enforce",store="sqlite"} 1']);
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).toMatch(/^sluice_build_info\{version="[\d.]+"\} 1$/m);
    for (const secret of [TOKEN, "hunter2", "127.0.0.1", "secret", "made-up"]) expect(text).not.toContain(secret);
  });

  it("tells how the policy file was read, and that the server behind is gone", async () => {
    const { admin, file, samples } = await start();
    const post = () =>
      send(admin, "{}", { path: "/api/v1/config/reload", headers: { Authorization: `Bearer ${TOKEN}` } });
    const [begun] = await samples("sluice_config_last_reload_success_timestamp_seconds");
    expect(Number(begun)).toBeGreaterThan(1_700_000_000);
    await post();
    const good = readFileSync(file, "utf8");
    writeFileSync(file, "tools: 1\n");
    await post();
    expect(await samples("sluice_config_last_reload_successful")).toEqual([" 0"]);
    const [read] = await samples("sluice_config_last_reload_success_timestamp_seconds");
    expect(Number(read)).toBeGreaterThan(Number(begun));
    const [success, failure] = await samples("sluice_config_reloads_total");
    expect(success).toMatch(/^\{result="success"\} [1-9]/);
    expect(failure).toMatch(/^\{result="failure"\} [1-9]/);
    writeFileSync(file, good);
    await post();
    expect(await samples("sluice_config_last_reload_successful")).toEqual([" 1"]);
    await upstream.close();
    expect(await samples("sluice_gateway_upstream_up")).toEqual(['{path="/mcp"} 0']);
    upstream = await startRecorder();
  });

  it("forgets with a reload how far a policy was lowered: the gate is a new one", async () => {
    const metrics = gatewayMetrics(() => undefined);
    const policies = { version: 1, config: {}, current: { limits: [] } as never };
    metrics.observeGateway({ policies, store: "memory", startedAt: 0, upstreams: async () => [] });
    metrics.listeners.onAdapt?.({ policy: "careful", level: 0.4 });
    expect(await metrics.text()).toContain('sluice_adaptive_level_ratio{policy="careful"} 0.4');
    policies.version = 2;
    expect(await metrics.text()).toContain('sluice_adaptive_level_ratio{policy="careful"} 1');
    metrics.listeners.onAdapt?.({ policy: "careful", level: 0.7 });
    expect(await metrics.text()).toContain('sluice_adaptive_level_ratio{policy="careful"} 0.7');
  });

  it.each([
    ["as localhost", { Host: "localhost:9" }, 200],
    ["by its address, as in Kubernetes", { Host: "10.2.3.4:9090" }, 200],
    ["by its address of version 6", { Host: "[fd00::1]:9090" }, 200],
    ["by a name without a dot, as in compose", { Host: "gateway:9090" }, 200],
    ["by a name that a page may have rebound", { Host: "evil.example" }, 421],
    ["from another page", { Origin: "https://evil.example" }, 403],
  ])("answers who asks %s with %j: %i", async (_how, headers, status) => {
    const { scrape, admin } = await start();
    expect((await scrape(headers)).status).toBe(status);
    if ("Host" in headers && headers.Host !== "localhost:9") {
      expect((await send(admin, undefined, { method: "GET", path: "/healthz", headers })).status).toBe(421);
    }
  });

  it("knows the tools of a server over stdio, once a client has asked for them", async () => {
    const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
    const everything = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"));
    const child = spawn(
      process.execPath,
      ["--no-warnings", main, "--tool", "*=9/h", "--admin", "127.0.0.1:0", "--", process.execPath, everything],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    children.push(child);
    const at = new Promise<string>((resolve) => {
      createInterface({ input: child.stderr! }).on("line", (line) => {
        if (line.includes("the admin API listens")) resolve(JSON.parse(line).at);
      });
    });
    const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const ask = async (id: number, method: string, params: object = {}) => {
      child.stdin!.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
      for (;;) {
        const message = JSON.parse((await answers.next()).value ?? "");
        if (message.id === id && message.method === undefined) return message;
      }
    };
    const client = { name: "test", version: "1" };
    await ask(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: client });
    child.stdin!.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    const echo = { name: "echo", arguments: { message: "x" } };
    await ask(2, "tools/call", echo);
    await ask(3, "tools/list");
    await ask(4, "tools/call", echo);
    const text = await (await fetch(`${await at}/metrics`)).text();
    const counted = [...text.matchAll(/^sluice_decisions_total\{.*tool="(\w+)".*\} (\d+)$/gm)].map(([, tool, n]) => [
      tool,
      n,
    ]);
    expect(counted).toEqual([
      ["other", "1"],
      ["echo", "1"],
    ]);
    const ended = once(child, "exit");
    child.stdin!.end();
    expect(await ended).toEqual([0, null]);
  });
});
