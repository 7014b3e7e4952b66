import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { call, send } from "../proxy/http/gateway.ts";
import { authorized, get, post, start, upstream, withUpstream } from "./running.ts";

withUpstream();

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
