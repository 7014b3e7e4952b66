import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageFiles } from "../../src/admin/page-files.ts";
import { startMain } from "../cli/start-main.ts";
import { send } from "../proxy/http/gateway.ts";

const FOLDER = join(import.meta.dirname, "../../dist/dashboard");
const MOST_BYTES = 100_000;

describe("the files of the live page", () => {
  let started: Awaited<ReturnType<typeof startMain>>;
  beforeAll(async () => {
    started = await startMain(["--upstream", "http://127.0.0.1:1/mcp", "--tool", "t=1/s"]);
  });
  afterAll(() => started?.child.kill("SIGKILL"));

  const get = (path: string, headers: object = {}, method = "GET") => {
    const host = `localhost:${started.admin.port}`;
    return send(started.admin, undefined, { method, path, headers: { Host: host, ...headers } });
  };

  it("are small: all of them together", () => {
    const names = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name));
    const sizes = names.map((name) => gzipSync(readFileSync(join(FOLDER, name))).length);
    expect(names.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MOST_BYTES);
  });

  it("are served to whoever asks, with a policy that lets nothing else in", async () => {
    const { status, headers, text } = await get("/");
    expect([status, headers["content-type"], headers["cache-control"]]).toEqual([
      200,
      "text/html; charset=utf-8",
      "no-cache",
    ]);
    const policy = String(headers["content-security-policy"]);
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|http|\*|data:/);
    expect(headers).toMatchObject({
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
    });
    // Nothing that the policy would forbid.
    expect(text).not.toMatch(/<script(?![^>]*src=)|<style|style=|\son\w+=/);
    const [, script] = /src="\.(\/assets\/[^"]+\.js)"/.exec(text)!;
    const asset = await get(script!, { "Accept-Encoding": "gzip" });
    expect(asset.headers).toMatchObject({
      "content-encoding": "gzip",
      "cache-control": expect.stringMatching("immutable"),
    });
    expect((await get("/", {}, "HEAD")).text).toBe("");
  });

  it("are kept from pages that have rebound a name, and from other origins", async () => {
    expect((await get("/", { Host: "evil.example" })).status).toBe(421);
    expect((await get("/", { Origin: "http://evil.example" })).status).toBe(403);
    expect((await get("/assets/../../package.json")).status).toBe(404);
    expect((await get("/assets/none.js")).status).toBe(404);
  });

  it("are none before they are built", () => {
    expect(pageFiles("/no-such-folder").find("/")).toBeUndefined();
  });
});
