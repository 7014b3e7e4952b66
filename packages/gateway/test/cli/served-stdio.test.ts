import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { call, send } from "../proxy/http/gateway.ts";
import { startMain } from "./start-main.ts";

const server = fileURLToPath(new URL("../fixtures/scripted-server.ts", import.meta.url));
const command = [process.execPath, "--no-warnings", server];
const initialize = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}';
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

async function start(...given: Parameters<typeof startMain>) {
  const started = await startMain(...given);
  children.push(started.child);
  return started;
}

describe("sluice --listen ADDRESS -- COMMAND", () => {
  it("serves a server over stdio over HTTP, under limits, and ends it when it is stopped", async () => {
    const options = ["--tool", "search=1/h"];
    const { child, url, admin } = await start(options, {}, ["--listen", "127.0.0.1:0"], command);
    expect(url.pathname).toBe("/mcp");
    const { headers } = await send(url, initialize);
    const within = { headers: { "Mcp-Session-Id": String(headers["mcp-session-id"]) } };
    expect((await send(url, call(1, "search"), within)).json.result.seen).toBe(2);
    expect((await send(url, call(2, "search"), within)).json.result.isError).toBe(true);
    expect((await send(new URL("/readyz", admin), undefined, { method: "GET" })).status).toBe(200);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  it("is not ready while the server cannot be started", async () => {
    const { url, admin } = await start(["--per-client", "9/s"], {}, ["--listen", "127.0.0.1:0"], ["no-such-program"]);
    expect((await send(url, initialize)).status).toBe(502);
    const ready = await send(new URL("/readyz", admin), undefined, { method: "GET" });
    expect([ready.status, ready.text]).toEqual([503, expect.stringContaining("no-such-program could not be started")]);
  });
});

it("sluice serve serves commands of the policy file, each under its path", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-served-"));
  const file = join(folder, "sluice.yaml");
  const written = JSON.stringify({
    listen: "127.0.0.1:0",
    upstreams: [
      { path: "/one/mcp", command, env: { NAME: "one" }, maxSessions: 1 },
      { path: "/two/mcp", command, cwd: folder },
    ],
    policies: [{ name: "one", match: { path: "/one/mcp" }, quota: "1/h" }],
  });
  writeFileSync(file, written);
  const { url } = await start(["serve", "-c", file], {}, []);
  const [one, two] = [new URL("/one/mcp", url), new URL("/two/mcp", url)];
  for (const [at, passes] of [
    [one, false],
    [two, true],
  ] as const) {
    const { headers } = await send(at, initialize);
    const within = { headers: { "Mcp-Session-Id": String(headers["mcp-session-id"]) } };
    expect((await send(at, call(1, "x"), within)).json.result.seen).toBe(2);
    const second = await send(at, call(2, "x"), within);
    expect(second.json.result.isError === undefined).toBe(passes);
  }
  expect((await send(one, initialize)).status).toBe(503);
});
