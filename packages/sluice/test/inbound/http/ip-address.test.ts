import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { networkOf, parseIpAddress } from "../../../src/inbound/http/ip-address.ts";

const network = (text: string, prefix = 56) => {
  const address = parseIpAddress(text);
  return address && networkOf(address, prefix);
};

describe("the network of an address", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1:443", "192.0.2.1"],
    ["  192.0.2.1 ", "192.0.2.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["[::ffff:192.0.2.1]:80", "192.0.2.1"],
    ["64:ff9b::192.0.2.1", "192.0.2.1"],
    ["64:ff9b::c000:202", "192.0.2.2"],
    ["2002:c000:0201:1::7", "192.0.2.1"],
    ["2001:db8::1", "2001:db8::/56"],
    ["2001:0DB8:0000:00ff::1", "2001:db8::/56"],
    ["2001:db8:0:1234:5678::1", "2001:db8:0:1200::/56"],
    ["[2001:db8:0:1200::]:443", "2001:db8:0:1200::/56"],
    ["[2001:db8::1]", "2001:db8::/56"],
    ["2001:db8::1%eth0", "2001:db8::/56"],
    ["::1", "::1"],
    ["::", "::"],
    ["fe80::1%eth0", "fe80::1"],
    ["fe80::2", "fe80::2"],
  ])("%s is %s", (text, expected) => {
    expect(network(text)).toBe(expected);
  });

  it.each([
    [32, "2001:db8::/32"],
    [48, "2001:db8:1::/48"],
    [52, "2001:db8:1:f000::/52"],
    [64, "2001:db8:1:f2f3::/64"],
    [128, "2001:db8:1:f2f3::1"],
  ])("takes %i bits as %s", (prefix, expected) => {
    expect(network("2001:db8:1:f2f3::1", prefix)).toBe(expected);
  });

  it.each([
    "",
    " ",
    "unknown",
    "_hidden",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "010.0.0.1",
    "0x7f.1",
    "2130706433",
    "1.2.3.4:",
    "1.2.3.4:port",
    "[1.2.3.4]:80",
    "[::1",
    "::1]",
    "[]",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8:9",
    "12345::",
    "::1.2.3.4:5",
    "1.2.3.4::",
    "::1%",
    "%eth0",
    "g::1",
    "1.2.3.4, 5.6.7.8",
    "1".repeat(10_000),
    `::1%${"e".repeat(200)}`,
    "１.2.3.4",
    "1.2.3.4\0",
  ])("%j is no address", (text) => {
    expect(parseIpAddress(text)).toBeUndefined();
  });
});

describe("laws", () => {
  it("reads what Node reads as an address, and nothing else", () => {
    const piece = fc.constantFrom(
      "0",
      "1",
      "ff",
      "abcd",
      "12345",
      "255",
      "256",
      ":",
      "::",
      ".",
      "1.2.3.4",
      "%e",
      "g",
      "",
    );
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join("")),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (given) => {
        const trimmed = given.trim();
        fc.pre(!/^\[|^[\d.]+:\d+$/.test(trimmed));
        expect(parseIpAddress(given) !== undefined).toBe(isIPv4(trimmed) || isIPv6(trimmed));
      }),
      { numRuns: 10_000 },
    );
  });

  it("gives every way of writing an address one network, which is an address itself", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4()), fc.constantFrom(32, 48, 56, 64, 128), (text, prefix) => {
        const expected = network(text, prefix)!;
        expect(network(text.includes(":") ? `[${text.toUpperCase()}]:65535` : `${text}:65535`, prefix)).toBe(expected);
        if (!text.includes(":")) expect(network(`::ffff:${text}`, prefix)).toBe(expected);
        // The network of all zeros is the only one whose first address is somebody else: "::" is itself.
        if (expected !== `::/${prefix}`) expect(network(expected.split("/")[0]!, prefix)).toBe(expected);
        // A URL writes an address as RFC 5952 wants it.
        const bare = expected.split("/")[0]!;
        if (bare.includes(":")) expect(new URL(`http://[${bare}]`).hostname).toBe(`[${bare}]`);
      }),
      { numRuns: 10_000 },
    );
  });

  it("puts two addresses into one network when they share its prefix, and only then", () => {
    const group = fc.constantFrom(0, 1, 0x80, 0xff, 0x100, 0x8000, 0xffff);
    const global = fc.tuple(fc.constant(0x2001), ...new Array(7).fill(group)).map((groups) => groups as number[]);
    const bits = (groups: readonly number[]) => groups.map((one) => one.toString(2).padStart(16, "0")).join("");
    fc.assert(
      fc.property(global, global, fc.integer({ min: 32, max: 128 }), (a, b, prefix) => {
        const isSame = bits(a).slice(0, prefix) === bits(b).slice(0, prefix);
        expect(networkOf(a, prefix) === networkOf(b, prefix)).toBe(isSame);
      }),
      { numRuns: 10_000 },
    );
  });
});
