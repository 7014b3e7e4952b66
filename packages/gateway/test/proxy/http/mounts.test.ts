import { describe, expect, it } from "vitest";
import { type Mount, mountFinder } from "../../../src/proxy/http/mounts.ts";

const upstream = (url: string): Mount["upstream"] => ({
  name: new URL(url).host,
  path: new URL(url).pathname,
  seesHost: false,
  forward: () => undefined as never,
  problem: async () => undefined,
  close: async () => {},
});

const find = mountFinder([
  { path: "/files", upstream: upstream("http://files.example/mcp") },
  { path: "/files/more", upstream: upstream("http://more.example/") },
  { path: "/search/mcp", upstream: upstream("https://search.example/v1/mcp") },
]);

const where = (url: string) => {
  const target = find(url);
  return target && `${target.mount.upstream.name} ${target.url}`;
};

describe("several servers", () => {
  it.each([
    ["/files", "files.example /mcp"],
    ["/files?x=1", "files.example /mcp?x=1"],
    ["/files/", "files.example /mcp/"],
    ["/files/sub/path?q=%2F", "files.example /mcp/sub/path?q=%2F"],
    ["/files/more", "more.example /"],
    ["/files/more/x", "more.example /x"],
    ["/search/mcp", "search.example /v1/mcp"],
    ["/.well-known/oauth-protected-resource/search/mcp", "search.example /.well-known/oauth-protected-resource/v1/mcp"],
    ["/.well-known/oauth-authorization-server/files?x", "files.example /.well-known/oauth-authorization-server/mcp?x"],
  ])("are found by their paths: %s", (url, target) => expect(where(url)).toBe(target));

  it.each([
    "/",
    "/filesystem",
    "/FILES",
    "/search",
    "/other",
    "/.well-known/oauth-protected-resource",
    "/files/../admin",
    "/files/..",
    "/files/x/%2e%2E/..%2fadmin",
    "/files/..;/admin",
    "/files/..\\admin",
    "/files/%252e%252e/admin",
    "*",
  ])("are not left by a path that leads elsewhere: %s", (url) => expect(where(url)).toBeUndefined());
});

it("is the whole gateway when it has no path", () => {
  const whole = mountFinder([{ upstream: upstream("http://a.example/mcp") }]);
  expect(whole("/anything/../x?y")!.url).toBe("/anything/../x?y");
});
