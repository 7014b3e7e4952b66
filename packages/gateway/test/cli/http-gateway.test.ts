import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { call, send, startRecorder } from "../proxy/http/gateway.ts";
import { runMain } from "./run-main.ts";
import { start, upstream, withUpstream } from "./running.ts";

withUpstream();

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
