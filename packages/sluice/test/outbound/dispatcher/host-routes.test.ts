import { memoryStore } from "sluice";
import { createUpstreams, type Hosts } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { hostRoutes } from "../../../src/outbound/dispatcher/host-routes.ts";

const store = memoryStore({ clock: manualClock() });
const upstreams = createUpstreams({ one: {}, two: {}, three: {}, four: {} }, { store });
type Named = Hosts<typeof upstreams>;

const found = (hosts: Named, url: string | URL | undefined) => hostRoutes(upstreams, hosts)(url)?.name;

describe("a host", () => {
  it.each<[Named, string, string | undefined]>([
    [{ "api.example.com": "one" }, "https://api.example.com/path", "one"],
    [{ "api.example.com": "one" }, "http://API.Example.COM:8080", "one"],
    [{ "API.Example.com.": "one" }, "https://api.example.com./", "one"],
    [{ "münchen.example": "one" }, "https://xn--mnchen-3ya.example/", "one"],
    [{ "127.0.0.1": "one" }, "http://127.1/", "one"],
    [{ "[::1]": "one" }, "http://[0:0:0:0:0:0:0:1]:8080", "one"],
    [{ "[::1]:8080": "one" }, "http://[::1]:8080", "one"],
    [{ "api.example.com": "one" }, "https://example.com", undefined],
    [{ "api.example.com": "one" }, "https://v2.api.example.com", undefined],
    [{ "example.com": "one" }, "https://example.com.evil.test", undefined],
    [{ "api.example.com:443": "one" }, "https://api.example.com", "one"],
    [{ "api.example.com:443": "one" }, "http://api.example.com", undefined],
    [{ "api.example.com:80": "one" }, "http://api.example.com", "one"],
    [{ "api.example.com:21": "one" }, "http://api.example.com:21", "one"],
  ])("%j finds %s: %s", (hosts, url, name) => {
    expect(found(hosts, url)).toBe(name);
    expect(found(hosts, new URL(url))).toBe(name);
  });
});

describe("a star", () => {
  it.each<[Named, string, string | undefined]>([
    [{ "*.example.com": "one" }, "https://a.example.com", "one"],
    [{ "*.example.com": "one" }, "https://b.a.example.com:8443", "one"],
    [{ "*.example.com": "one" }, "https://example.com", undefined],
    [{ "*.example.com": "one" }, "https://notexample.com", undefined],
    [{ "*.example.com:8443": "one" }, "https://a.example.com:8443", "one"],
    [{ "*.example.com:8443": "one" }, "https://a.example.com", undefined],
  ])("%j finds %s: %s", (hosts, url, name) => {
    expect(found(hosts, url)).toBe(name);
  });

  it("gives way to a longer one, to a host, and that to a host with its port, in whatever order they are written", () => {
    const hosts: [string, "one" | "two" | "three" | "four"][] = [
      ["*.example.com", "one"],
      ["*.eu.example.com", "two"],
      ["a.eu.example.com", "three"],
      ["a.eu.example.com:8443", "four"],
    ];
    for (const order of [hosts, hosts.toReversed()]) {
      const routes = hostRoutes(upstreams, Object.fromEntries(order));
      expect(routes("https://x.example.com")?.name).toBe("one");
      expect(routes("https://x.eu.example.com")?.name).toBe("two");
      expect(routes("https://a.eu.example.com")?.name).toBe("three");
      expect(routes("https://a.eu.example.com:8443")?.name).toBe("four");
    }
  });
});

it("finds nothing for what is no URL, and for none", () => {
  expect(found({ "api.example.com": "one" }, undefined)).toBeUndefined();
  expect(found({ "api.example.com": "one" }, "/path")).toBeUndefined();
});

it.each(["https://api.example.com", "api.example.com/path", "", "*", "a.*.com", "*.", "a b", "x:99999", "user@host"])(
  "does not take %j for a host",
  (pattern) => {
    expect(() => hostRoutes(upstreams, { [pattern]: "one" })).toThrow(RangeError);
  },
);

it("names the upstreams that there are", () => {
  const hosts = { "api.example.com": "five" } as unknown as Named;
  expect(() => hostRoutes(upstreams, hosts)).toThrow('There is no upstream "five". There are: "one", "two"');
});
