import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { call, type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";
import { runMain } from "./run-main.ts";
import { type Started, startMain } from "./start-main.ts";

const TOKEN = "correct horse battery staple";
const authorized = { headers: { Authorization: `Bearer ${TOKEN}` } };

const children: ChildProcess[] = [];

async function start(args: readonly string[], env: object = {}, listen?: readonly string[]): Promise<Started> {
  const started = await startMain(args, { SLUICE_ADMIN_TOKEN: TOKEN, ...env }, listen);
  children.push(started.child);
  return started;
}

let upstream: Recorder;

beforeEach(async () => {
  upstream = await startRecorder();
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await upstream.close();
});

const get = (url: URL, path: string, options: object = {}) => send(url, undefined, { method: "GET", path, ...options });
const post = (url: URL, path: string, body: unknown, options: object = authorized) =>
  send(url, JSON.stringify(body), { path, ...options });

describe("`sluice --upstream`", () => {
  it("puts limits in front of a server, and ends when it is told to, after what runs", async () => {
    const { child, url } = await start(["--upstream", upstream.url.href, "--tool", "search=1/h"]);
    expect((await send(url, call(1, "search"))).json).toEqual({ jsonrpc: "2.0", id: 1, result: {} });
    expect((await send(url, call(2, "search"))).json.result.isError).toBe(true);
    let end: () => void = () => {};
    const began = new Promise<void>((resolve) => {
      upstream.answer = ({ method }, response) => {
        if (method !== "POST") return response.end();
        end = () => response.end("{}");
        return resolve();
      };
    });
    const running = send(url, call(3, "other"));
    await began;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    while ((await send(url, undefined, { method: "GET" }).catch(({ code }) => code)) !== "ECONNREFUSED");
    end();
    expect((await running).text).toBe("{}");
    expect(await exited).toEqual([0, null]);
  });

  it("reads its file anew on SIGHUP and when it changes", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "sluice-http-")), "sluice.yaml");
    writeFileSync(file, "tools: { search: 1/h }\n");
    const { child, url, logged } = await start(["--upstream", upstream.url.href, "-c", file]);
    expect((await send(url, call(1, "search"))).json.result.isError).toBeUndefined();
    expect((await send(url, call(2, "search"))).json.result.isError).toBe(true);
    writeFileSync(file, "tools: { search: 2/h }\n");
    await logged("policies reloaded");
    // One of two is used: what was used stays used.
    expect((await send(url, call(3, "search"))).json.result.isError).toBeUndefined();
    expect((await send(url, call(4, "search"))).json.result.isError).toBe(true);
    child.kill("SIGHUP");
    await logged("policies reloaded");
  });

  it.each([
    [["--upstream", "nonsense"], 2, "--upstream is a URL"],
    [["--upstream", "http://localhost:1/mcp", "--listen", "x:y"], 2, "It is PORT or HOST:PORT"],
    [["--upstream", "http://localhost:1/mcp", "--drain", "soon"], 2, "It is a duration"],
    [["--upstream", "http://localhost:1/mcp", "--", "node"], 2, "not by both"],
  ])("says what is wrong with the command line: %j", async (args, code, text) => {
    expect(await runMain(args)).toMatchObject({ code, stderr: expect.stringContaining(text) });
  });

  it("says that its port is taken", async () => {
    const taken = `127.0.0.1:${upstream.url.port}`;
    expect(await runMain(["--upstream", upstream.url.href, "--listen", taken])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("something else listens there already"),
    });
  });
});

describe("`sluice serve`", () => {
  it("stands in front of all servers of its file, with limits for each", async () => {
    const other = await startRecorder("/v1/mcp");
    const file = join(mkdtempSync(join(tmpdir(), "sluice-serve-")), "sluice.yaml");
    writeFileSync(
      file,
      `listen: 127.0.0.1:0
upstreams:
  - { path: /files, url: "${upstream.url}" }
  - { path: /search/mcp, url: "${other.url}" }
policies:
  - { name: files, match: { path: /files }, quota: 1/h }
`,
    );
    try {
      const { url, child } = await start(["serve", "-c", file], {}, []);
      expect(url.pathname).toBe("/files");
      const at = (path: string, id: number) => send(url, call(id, "x"), { path });
      expect((await at("/files", 1)).json.result.isError).toBeUndefined();
      expect((await at("/files", 2)).json.result.isError).toBe(true);
      for (const id of [3, 4]) expect((await at("/search/mcp", id)).json.result.isError).toBeUndefined();
      expect(await at("/elsewhere", 5)).toMatchObject({ status: 404, json: { error: { code: -32_600 } } });
      expect(upstream.received.map(({ url: path }) => path)).toEqual(["/mcp"]);
      expect(other.received.map(({ url: path }) => path)).toEqual(["/v1/mcp", "/v1/mcp"]);
      const exited = once(child, "exit");
      child.kill("SIGINT");
      expect(await exited).toEqual([0, null]);
    } finally {
      await other.close();
    }
  });

  it("says when its file names no server", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "sluice-serve-")), "sluice.yaml");
    writeFileSync(file, "perClient: 1/s\n");
    expect(await runMain(["serve", "-c", file])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no server to stand in front of"),
    });
  });
});

describe("the admin API", () => {
  it("says whether the gateway lives and is ready", async () => {
    const { admin } = await start(["--upstream", upstream.url.href]);
    expect(await get(admin, "/healthz")).toMatchObject({ status: 200, json: { status: "ok" } });
    expect(await get(admin, "/readyz")).toMatchObject({ status: 200, json: { status: "ready", version: 1 } });
    await upstream.close();
    expect(await get(admin, "/readyz")).toMatchObject({
      status: 503,
      json: { problems: [expect.stringContaining("cannot be reached")] },
    });
    upstream = await startRecorder();
  });

  it("is not ready without its store", async () => {
    const store = "redis://127.0.0.1:1";
    const { admin, url } = await start(["--upstream", upstream.url.href, "--store", store]);
    expect(await get(admin, "/readyz")).toMatchObject({
      status: 503,
      json: { problems: [expect.stringContaining(store)] },
    });
    // Closed by default: a call is refused, and told that it was not one too many.
    const refused = await send(url, call(1, "search"));
    expect(refused.json.result.content[0].text).toContain("It was not one call too many");
  });

  it("shows policies and decisions, and forgets, for those who have the token", async () => {
    const { admin, url } = await start(["--upstream", upstream.url.href, "--tool", "search=1/h"]);
    await send(url, call(1, "search"));
    const whose = { call: { name: "search" }, client: "address:9:127.0.0.1" };
    expect((await get(admin, "/api/v1/policies", authorized)).json).toEqual({
      version: 1,
      config: { tools: { search: "1/h" } },
    });
    expect((await post(admin, "/api/v1/decisions", whose)).json).toMatchObject({
      allowed: false,
      limits: [{ subject: 'the tool "search"', rate: "1 per hour", decision: { allowed: false } }],
    });
    expect((await send(url, call(2, "search"))).json.result.isError).toBe(true);
    expect((await post(admin, "/api/v1/reset", whose)).json.reset).toHaveLength(1);
    expect((await send(url, call(3, "search"))).json.result.isError).toBeUndefined();
    expect(await post(admin, "/api/v1/config/reload", {})).toMatchObject({ status: 409 });
  });

  it("reads the policy file when it is told to, and says when it is bad", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "sluice-http-")), "sluice.yaml");
    writeFileSync(file, "tools: { search: 1/h }\n");
    const { admin } = await start(["--upstream", upstream.url.href, "-c", file]);
    expect((await post(admin, "/api/v1/config/reload", {})).status).toBe(200);
    writeFileSync(file, "tools: 1\n");
    expect((await post(admin, "/api/v1/config/reload", {})).status).toBe(422);
    expect((await get(admin, "/api/v1/policies", authorized)).json.config).toEqual({ tools: { search: "1/h" } });
  });

  it.each([
    ["no token", {}, 401],
    ["another token", { headers: { Authorization: "Bearer guess" } }, 401],
    [
      "another host: a page that has rebound its name",
      { headers: { ...authorized.headers, Host: "evil.example" } },
      421,
    ],
    ["another origin", { headers: { ...authorized.headers, Origin: "https://evil.example" } }, 403],
  ])("shows nothing to others: %s", async (_, options, status) => {
    const { admin } = await start(["--upstream", upstream.url.href]);
    expect((await get(admin, "/api/v1/policies", options)).status).toBe(status);
    expect((await post(admin, "/api/v1/reset", { call: { name: "x" } }, options)).status).toBe(status);
  });

  it("needs a token to be given", async () => {
    const { admin } = await start(["--upstream", upstream.url.href], { SLUICE_ADMIN_TOKEN: "" });
    const reply = await get(admin, "/api/v1/policies", { headers: { Authorization: "Bearer " } });
    expect(reply).toMatchObject({ status: 401, json: { error: expect.stringContaining("SLUICE_ADMIN_TOKEN") } });
  });

  it.each([
    ["no JSON", "{", 400],
    ["no call", "{}", 400],
    ["a list", "[]", 400],
    ["too much", JSON.stringify({ call: "x".repeat(100_000) }), 413],
  ])("says what is wrong with a request: %s", async (_, body, status) => {
    const { admin } = await start(["--upstream", upstream.url.href]);
    expect((await send(admin, body, { path: "/api/v1/decisions", ...authorized })).status).toBe(status);
    expect((await get(admin, "/nowhere", authorized)).status).toBe(404);
    expect(await get(admin, "/api/v1/reset", authorized)).toMatchObject({ status: 405, headers: { allow: "POST" } });
  });
});

describe("overrides", () => {
  const whose = { limit: "tools.search", client: "address:9:127.0.0.1" };

  it("give a client other rates for a while, through the admin API", async () => {
    const { admin, url } = await start(["--upstream", upstream.url.href, "--tool", "search=1/h"]);
    const isAllowed = async (id: number) => (await send(url, call(id, "search"))).json.result.isError === undefined;
    expect([await isAllowed(1), await isAllowed(2)]).toEqual([true, false]);
    const set = await post(admin, "/api/v1/overrides", { ...whose, quota: "2/h", for: "1h", note: "a demo" });
    expect(set).toMatchObject({ status: 200, json: { overrides: [{ ...whose, quota: "2/h", note: "a demo" }] } });
    expect([await isAllowed(3), await isAllowed(4)]).toEqual([true, false]);
    expect((await get(admin, "/api/v1/overrides", authorized)).json.overrides).toHaveLength(1);
    for (const bad of [
      {},
      { ...whose, quota: "x", for: "1h" },
      { ...whose, quota: "1/h" },
      { ...whose, quota: "1/h", for: "soon" },
    ]) {
      expect(await post(admin, "/api/v1/overrides", bad)).toMatchObject({
        status: 400,
        json: { error: expect.any(String) },
      });
    }
    const remove = { ...authorized, method: "DELETE" };
    expect((await post(admin, "/api/v1/overrides", whose, remove)).status).toBe(200);
    expect((await post(admin, "/api/v1/overrides", whose, remove)).status).toBe(404);
    expect(await isAllowed(5)).toBe(false);
  });

  it("are set from the command line in a store that is shared, and a running gateway follows", async () => {
    const store = `sqlite:${join(mkdtempSync(join(tmpdir(), "sluice-override-")), "limits.db")}`;
    const limits = ["--tool", "search=1/h", "--store", store];
    const { url } = await start(["--upstream", upstream.url.href, ...limits]);
    await send(url, call(1, "search"));
    const line = ["override", ...limits, "--client", whose.client];
    const set = await runMain([
      ...line,
      "--limit",
      whose.limit,
      "--quota",
      "unlimited",
      "--for",
      "5min",
      "--note",
      "why",
    ]);
    expect(set).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("tools.search for address:9:127.0.0.1: unlimited until 20"),
    });
    while ((await send(url, call(2, "search"))).json.result.isError);
    expect(await runMain([...line, "--limit", whose.limit, "--remove"])).toMatchObject({
      code: 0,
      stdout: "There are no overrides.\n",
    });
    while ((await send(url, call(3, "search"))).json.result.isError === undefined);
    expect(await runMain([...line, "--limit", whose.limit, "--remove"])).toMatchObject({ code: 1 });
    expect(await runMain([...line, "--limit", whose.limit, "--quota", "x"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is not a rate"),
    });
    expect(await runMain(line)).toMatchObject({ code: 2, stderr: expect.stringContaining("Which limit?") });
    expect(await runMain(["override", "--tool", "search=1/h"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("admin API"),
    });
  });
});

describe("`sluice ask`", () => {
  it("asks a running gateway, and fails as it does", async () => {
    const { admin } = await start(["--upstream", upstream.url.href]);
    const at = ["--admin", admin.port];
    expect(await runMain(["ask", "/readyz", ...at])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"ready"'),
    });
    expect(await runMain(["ask", "/api/v1/policies", ...at])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("token"),
    });
    expect(await runMain(["ask", "/readyz", "--admin", "1"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("did not answer"),
    });
    expect(await runMain(["ask", "/readyz"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Which gateway?"),
    });
  });
});

describe("`sluice reset`", () => {
  it("forgets in a store that is shared", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-reset-"));
    const store = `sqlite:${join(folder, "limits.db")}`;
    const limits = ["--tool", "search=1/h", "--store", store];
    const { url } = await start(["--upstream", upstream.url.href, ...limits]);
    await send(url, call(1, "search"));
    expect((await send(url, call(2, "search"))).json.result.isError).toBe(true);
    const whose = ["--call", '{"name":"search"}', "--client", "address:9:127.0.0.1"];
    expect(await runMain(["reset", ...limits, ...whose])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("reset tools.search"),
    });
    expect((await send(url, call(3, "search"))).json.result.isError).toBeUndefined();
  });

  it("says that memory is seen by nobody else", async () => {
    const ended = await runMain(["reset", "--tool", "search=1/h", "--call", '{"name":"search"}']);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("admin API") });
  });
});

describe("`sluice keys` and `sluice top`", () => {
  it("show who calls, and what is left of their limits, to whoever has the token", async () => {
    const { admin, url } = await start(["--upstream", upstream.url.href, "--tool", "search=2/h"]);
    const about = ["--admin", `127.0.0.1:${admin.port}`];
    const env = { SLUICE_ADMIN_TOKEN: TOKEN };
    expect((await runMain(["keys", ...about], { env })).stdout).toBe("Nobody has called yet.\n");
    for (let id = 1; id <= 3; id++) await send(url, call(id, "search"));
    const { stdout, code } = await runMain(["keys", ...about], { env });
    expect(stdout).toMatch(
      /^CLIENT +PASSED +REFUSED +LEAST LEFT +LAST CALL\naddress:9:127\.0\.0\.1 +2 +1 +0\/2 of tools\.search/,
    );
    expect(code).toBe(0);
    const json = await runMain(["top", ...about, "--count", "2", "--every", "1ms", "--json", "--by", "refused"], {
      env,
    });
    const lines = json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ known, clients }) => [known, clients[0].refused])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect((await runMain(["top", ...about, "--count", "2", "--every", "1ms"], { env })).stdout).toMatch(/PER MIN/);
    const denied = await runMain(["keys", ...about], { env: { SLUICE_ADMIN_TOKEN: "wrong" } });
    expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining("401")]);
    expect((await runMain(["keys"])).stderr).toContain("Which gateway?");
    expect((await runMain(["keys", ...about, "--by", "name"], { env })).stderr).toContain("calls, refused, used, last");
    for (const path of ["/api/v1/clients?by=x", "/api/v1/clients?top=-1"])
      expect((await get(admin, path, authorized)).status).toBe(400);
  });
});

describe("what happens at a gateway", () => {
  const file = (text: string) => {
    const path = join(mkdtempSync(join(tmpdir(), "sluice-live-")), "sluice.yaml");
    writeFileSync(path, text);
    return path;
  };
  const json = async (admin: URL, path: string) => (await get(admin, path, authorized)).json;

  it("can be asked for: where it stands, seconds, tools and limits", async () => {
    const config = file("tools: { search: 1/h, never: 5/min }\nmode: enforce\n");
    const { admin, url } = await start(["--upstream", upstream.url.href, "-c", config]);
    for (let id = 1; id <= 3; id++) await send(url, call(id, "search"));
    expect(await json(admin, "/api/v1/status")).toMatchObject({
      version: 1,
      mode: "enforce",
      file: config,
      store: "memory",
      problems: [],
      upstreams: [{ name: upstream.url.host, path: "/mcp" }],
    });
    await post(admin, "/api/v1/config/reload", {});
    expect((await json(admin, "/api/v1/status")).lastReload.ok).toBe(true);
    const override = { limit: "tools.search", client: "a" };
    await post(admin, "/api/v1/overrides", { ...override, quota: "blocked", for: "1h" });
    for (let i = 0; i < 2; i++) await post(admin, "/api/v1/overrides", override, { ...authorized, method: "DELETE" });
    expect((await json(admin, "/api/v1/changes")).changes).toEqual([
      { kind: "reload", ok: true, version: 2, at: expect.any(Number) },
      { kind: "override", ...override, quota: "blocked", at: expect.any(Number) },
      { kind: "taken-back", ...override, at: expect.any(Number) },
    ]);
    const { points } = await json(admin, "/api/v1/series?since=0");
    expect(points.reduce((sum: number, { refused }: any) => sum + refused, 0)).toBe(2);
    expect((await json(admin, "/api/v1/tools")).tools).toMatchObject([{ tool: "search", passed: 1, refused: 2 }]);
    const { limits } = await json(admin, "/api/v1/limits");
    expect(limits.map(({ quota, calls, refused }: any) => [quota, calls, refused])).toEqual([
      ["tools.search.per-hour", 3, 2],
      ["tools.never.per-minute", 0, 0],
    ]);
    expect((await get(admin, "/api/v1/series")).status).toBe(401);
  });

  it("is told as it happens, from where the listener was cut off", async () => {
    const { admin, url } = await start(["--upstream", upstream.url.href, "--tool", "search=1/h"]);
    for (let id = 1; id <= 2; id++) await send(url, call(id, "search"));
    const response = await fetch(new URL("/api/v1/events", admin), {
      headers: { ...authorized.headers, Host: `localhost:${admin.port}`, "Last-Event-ID": "0" },
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const until = async (isThere: RegExp) => {
      while (!isThere.test(text)) text += (await reader.read()).value;
    };
    await until(/id: 2\n.*\n\n/);
    const [first, second] = [...text.matchAll(/event: decision\nid: \d+\ndata: (.*)\n/g)].map(([, data]) =>
      JSON.parse(data!),
    );
    expect(first).toMatchObject({ id: 1, tool: "search", allowed: true, decisions: [{ limit: 1, remaining: 0 }] });
    expect(second.text).toContain('the tool "search" may be used 1 per hour');
    await send(url, call(3, "search"));
    await until(/id: 3\n/);
    await until(/event: tick\ndata: .*"refused":\d/);
    await reader.cancel();
  });
});
