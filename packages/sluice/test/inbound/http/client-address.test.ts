import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ClientAddressError,
  type ClientAddressOptions,
  clientAddress,
} from "../../../src/inbound/http/client-address.ts";
import { forwardedHops } from "../../../src/inbound/http/forwarded.ts";

interface Given {
  readonly peer?: string | undefined;
  readonly xff?: string | string[];
  readonly forwarded?: string;
}

const reader = (options: ClientAddressOptions) => {
  const read = clientAddress<Given>(
    (request, name) => (name === "forwarded" ? request.forwarded : request.xff),
    options,
  );
  return (request: Given) => read(request, "peer" in request ? request.peer : "10.0.0.1");
};

let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  warn = vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());

describe("X-Forwarded-For", () => {
  it.each<[ClientAddressOptions["trustProxy"], string, string]>([
    [["10.0.0.0/8"], "203.0.113.1", "203.0.113.1"],
    [["10.0.0.0/8"], "6.6.6.6, 203.0.113.1", "203.0.113.1"],
    [["10.0.0.0/8"], "6.6.6.6,203.0.113.1 , 10.9.9.9", "203.0.113.1"],
    [["10.0.0.0/8"], "10.7.7.7, 10.9.9.9", "10.7.7.7"],
    [["10.0.0.0/8"], "garbage, , 203.0.113.1", "203.0.113.1"],
    ["private", "192.168.1.1", "192.168.1.1"],
    [["10.0.0.1", "fd00::/8"], "203.0.113.1, fd00::7", "203.0.113.1"],
    [["10.0.0.2"], "203.0.113.1", "10.0.0.1"],
    [["::/8"], "203.0.113.1", "203.0.113.1"],
    ["loopback", "203.0.113.1", "10.0.0.1"],
    [1, "6.6.6.6, 203.0.113.1", "203.0.113.1"],
    [2, "6.6.6.6, 203.0.113.1, 10.9.9.9", "203.0.113.1"],
    [2, "203.0.113.1", "203.0.113.1"],
    [1, "[2001:db8::1]:443", "2001:db8::/56"],
  ])("with trustProxy %j, %j comes from %s", (trustProxy, xff, expected) => {
    expect(reader({ trustProxy: trustProxy! })({ xff })).toBe(expected);
  });

  it("reads several fields as one", () => {
    expect(reader({ trustProxy: 1 })({ xff: ["6.6.6.6", "203.0.113.1"] })).toBe("203.0.113.1");
  });

  it("sees through a mapped peer, but not through NAT64 or 6to4, which anyone can write", () => {
    const read = reader({ trustProxy: ["10.0.0.0/8"] });
    expect(read({ peer: "::ffff:10.0.0.1", xff: "203.0.113.1" })).toBe("203.0.113.1");
    expect(read({ peer: "2002:a00:1::1", xff: "203.0.113.1" })).toBe("10.0.0.1");
    expect(read({ peer: "64:ff9b::a00:1", xff: "203.0.113.1" })).toBe("10.0.0.1");
  });

  it.each(["unknown", "", "_gazonk", "203.0.113.1, unknown", "203.0.113.1,", "localhost", "x".repeat(5000)])(
    "refuses to build a key from %j",
    (xff) => {
      const read = reader({ trustProxy: 1 });
      if (xff === "") expect(read({ xff })).toBe("10.0.0.1");
      else expect(() => read({ xff })).toThrow(ClientAddressError);
    },
  );

  it.each([undefined, "", "unknown", "/var/run/app.sock"])("refuses the peer %j", (peer) => {
    for (const trustProxy of [false, 1, ["10.0.0.0/8"]] as const) {
      expect(() => reader({ trustProxy })({ peer })).toThrow("Give rateLimit `key`");
    }
  });

  it("a client cannot choose its address, whatever it writes in front", () => {
    const anything = fc.oneof(
      fc.string({ maxLength: 50 }),
      fc
        .array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('"', ",", "\\", "for=", ";", "10.0.0.1")))
        .map((list) => list.join(", ")),
    );
    const byList = reader({ trustProxy: ["10.0.0.0/8"] });
    const byCount = reader({ trustProxy: 1 });
    const forwarded = reader({ trustProxy: 1, forwardedHeader: "forwarded" });
    fc.assert(
      fc.property(anything, (spoofed) => {
        expect(byList({ xff: `${spoofed}, 203.0.113.1` })).toBe("203.0.113.1");
        expect(byCount({ xff: `${spoofed}, 203.0.113.1` })).toBe("203.0.113.1");
        expect(forwarded({ forwarded: `${spoofed}, for="203.0.113.1:80";proto=http` })).toBe("203.0.113.1");
      }),
      { numRuns: 10_000 },
    );
  });

  it("looks at no more than the end of a huge header", () => {
    const huge = `${"6.6.6.6,".repeat(200_000)}203.0.113.1`;
    expect(reader({ trustProxy: 1 })({ xff: huge })).toBe("203.0.113.1");
    expect(forwardedHops("x-forwarded-for", huge)).toHaveLength(32);
    expect(forwardedHops("forwarded", '"'.repeat(2_000_000))).toHaveLength(1);
    expect(forwardedHops("x-forwarded-for", `${"1".repeat(5000)}.2.3.4`)).toEqual([""]);
  });
});

describe("Forwarded", () => {
  it.each([
    ["for=203.0.113.1", ["203.0.113.1"]],
    ["For=203.0.113.1;Proto=http;by=10.0.0.1", ["203.0.113.1"]],
    ['for="[2001:db8::1]:4711";host="a,b;for=6.6.6.6"', ["[2001:db8::1]:4711"]],
    ['for=192.0.2.1, for="198.51.100.1:80" ;by=x', ["198.51.100.1:80", "192.0.2.1"]],
    ["for=6.6.6.6;for=203.0.113.1", [""]],
    ["proto=https", [""]],
    ['for="203.0.113.1', [""]],
    ['for="a\\"b"', [""]],
    ["", [""]],
    ["for=1.2.3.4,", ["", "1.2.3.4"]],
  ])("%s names %j", (header, expected) => {
    expect(forwardedHops("forwarded", header)).toEqual(expected);
  });
});

describe("options", () => {
  it.each([
    true,
    0,
    -1,
    1.5,
    33,
    Number.NaN,
    [],
    [1],
    "10.0.0.0/",
    "10.0.0.0/0",
    "::/0",
    "10.0.0.0/33",
    "proxy",
    "1.2.3.4/8/8",
    {},
  ])("refuses trustProxy %j, and says what it found", (trustProxy) => {
    expect(() => reader({ trustProxy: trustProxy as number })).toThrow(/trustProxy/);
  });

  it.each([31, 129, 56.5, "56"])("refuses ipv6Prefix %j", (ipv6Prefix) => {
    expect(() => reader({ ipv6Prefix: ipv6Prefix as number })).toThrow(/ipv6Prefix/);
  });
});

describe("warnings", () => {
  it("tells once of a proxy that nobody spoke of, and not when there is said to be none", () => {
    const read = reader({});
    expect(read({})).toBe("10.0.0.1");
    expect(warn).not.toHaveBeenCalled();
    for (let i = 0; i < 3; i++) expect(read({ xff: "203.0.113.1" })).toBe("10.0.0.1");
    expect(warn).toHaveBeenCalledTimes(1);
    reader({ trustProxy: false })({ xff: "203.0.113.1" });
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it("tells once of a trusted proxy that names no client", () => {
    const read = reader({ trustProxy: ["10.0.0.1"] });
    for (let i = 0; i < 3; i++) expect(read({})).toBe("10.0.0.1");
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain("x-forwarded-for");
  });
});

it("remembers few peers: a flood of them changes nothing", () => {
  const read = reader({});
  for (let i = 0; i < 5000; i++) expect(read({ peer: `10.1.${i >> 8}.${i & 255}` })).toBe(`10.1.${i >> 8}.${i & 255}`);
});
