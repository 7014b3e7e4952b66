import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { call, send } from "../proxy/http/gateway.ts";
import { runMain } from "./run-main.ts";
import { authorized, get, newUpstream, post, start, TOKEN, upstream, withUpstream } from "./running.ts";

withUpstream();

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
    await newUpstream();
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
