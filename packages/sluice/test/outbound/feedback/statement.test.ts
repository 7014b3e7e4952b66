import fc from "fast-check";
import { type ResponseHead, readStatement } from "sluice/outbound";
import type { request } from "undici";
import { describe, expect, it } from "vitest";

const NOW = "Sun, 01 Mar 2026 12:00:00 GMT";
const wallMs = Date.parse(NOW);
const read = (headers: Record<string, string>, at = wallMs) => readStatement({ status: 429, headers }, { wallMs: at });
const waits = (value: string, others: Record<string, string> = {}) =>
  read({ "retry-after": value, ...others }).retryAfterMs;
const resets = (value: string) =>
  read({ "x-ratelimit-remaining": "1", "x-ratelimit-reset": value }).limits[0]?.resetAfterMs;

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["120", 120_000],
    ["1.5", 1500],
    ["1.1", 1100],
    ["16.1", 16_100],
    ["0.0001", 1],
    [" 7 ", 7000],
    ["Sun, 01 Mar 2026 12:01:00 GMT", 60_000],
    ["Sunday, 01-Mar-26 12:01:00 GMT", 60_000],
    ["Sun Mar  1 12:01:00 2026", 60_000],
    ["Sun, 01 Mar 2026 11:59:59 GMT", 0],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["Friday, 31-Dec-99 23:59:59 GMT", 0],
    ["Sat, 28 Feb 2026 23:59:60 GMT", 0],
    ["5, 20", 20_000],
    ["20, 5, oops", undefined],
    ["-1", undefined],
    ["+5", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["NaN", undefined],
    ["Infinity", undefined],
    ["999999999", undefined],
    ["9".repeat(400), undefined],
    ["Sun, 30 Feb 2026 12:01:00 GMT", undefined],
    ["Sun, 01 Mar 2026 24:01:00 GMT", undefined],
    ["Sun, 01 Mar 2026 12:01:00 PST", undefined],
    ["Sun, 01 Mar 9999 12:01:00 GMT", undefined],
    ["2026-03-01T12:01:00", undefined],
    ["", undefined],
    ["soon", undefined],
  ])("%j is %s ms", (value, ms) => {
    expect(waits(value)).toBe(ms);
  });

  it("is a date by the clock of the server, whatever the clock here says", () => {
    const headers = { "retry-after": "Sun, 01 Mar 2026 12:01:00 GMT", date: NOW };
    for (const skew of [-86_400_000, -3_600_000, 0, 3_600_000]) {
      expect(read(headers, wallMs + skew).retryAfterMs).toBe(60_000);
    }
    expect(read({ ...headers, date: "yesterday" }, wallMs + 10_000).retryAfterMs).toBe(50_000);
  });

  it("is the latest of what is said, but not for the sake of rounding", () => {
    expect(waits("7", { "retry-after-ms": "6200" })).toBe(6200);
    expect(waits("6", { "retry-after-ms": "6200" })).toBe(6200);
    expect(waits("20", { "retry-after-ms": "10" })).toBe(20_000);
    expect(waits("1", { "x-ratelimit-retry-after": "9" })).toBe(9000);
    expect(waits("1", { "x-ratelimit-retry-after": `${wallMs / 1000 + 30}` })).toBe(30_000);
    expect(waits("3", { "retry-after-ms": "-5" })).toBe(3000);
  });
});

describe("a reset", () => {
  it.each([
    ["60", 60_000],
    ["0.25", 250],
    [`${wallMs / 1000 + 60}`, 60_000],
    [`${wallMs + 60}`, 60],
    [`${wallMs / 1000 - 60}`, 0],
    ["6m0s", 360_000],
    ["1.5s", 1500],
    ["20ms", 20],
    ["1h2m3s", 3_723_000],
    ["1d2h", 93_600_000],
    ["500µs", 1],
    ["2026-03-01T12:00:30Z", 30_000],
    ["2026-03-01t13:00:30.5+01:00", 30_500],
    ["Sun, 01 Mar 2026 12:00:30 GMT", 30_000],
    ["6m 0s", undefined],
    ["6m0", undefined],
    ["-6s", undefined],
    ["5 minutes", undefined],
    ["60, 61", undefined],
    ["40000000", undefined],
    ["500000000000", undefined],
    ["1772366460000000", undefined],
    ["1772366460000000000", undefined],
    ["2026-03-01T12:00:30", undefined],
  ])("%j is %s ms", (value, ms) => {
    expect(resets(value)).toBe(ms);
  });
});

describe("the fields of the draft", () => {
  it.each([
    ['"a";r=1;t=2', [{ name: "a", remaining: 1, resetAfterMs: 2000 }]],
    ["a;r=1;t=2", [{ name: "a", remaining: 1, resetAfterMs: 2000 }]],
    ["limit=10, remaining=4, reset=3", [{ limit: 10, remaining: 4, resetAfterMs: 3000 }]],
    ['"a";r=1;t=-2', [{ name: "a", remaining: 1 }]],
    ['"a";r=1;t=999999999999999', [{ name: "a", remaining: 1 }]],
    ['"a";r=-1;t=2, "b";r=3', [{ name: "b", remaining: 3 }]],
    ['"a";r=1.5;t=2', []],
    ['"a";t=2', []],
    ['"a";r=1;t=2, "a";r=1;t=2', [{ name: "a", remaining: 1, resetAfterMs: 2000 }]],
    ['"a";r=1;t=2, "a";r=5;t=2', []],
    [
      '"a";r=1, "a";r=5;pk=:YQ==:',
      [
        { name: "a", remaining: 1 },
        { name: "a", remaining: 5, partition: "YQ==" },
      ],
    ],
    ['"a";r=1;t=2,', []],
    ['"a;r=1;t=2', []],
    ["limit=10, reset=3", []],
    ["1;r=1", []],
  ])("RateLimit: %s", (ratelimit, limits) => {
    expect(read({ ratelimit }).limits).toEqual(limits);
  });

  it("are ignored when they are malformed, which leaves the older fields", () => {
    const headers = { "x-ratelimit-limit": "5", "x-ratelimit-remaining": "4" };
    expect(read({ ...headers, ratelimit: '"a";r=1' }).limits).toEqual([{ name: "a", remaining: 1 }]);
    expect(read({ ...headers, ratelimit: '"a";r=1;' }).limits).toEqual([{ limit: 5, remaining: 4 }]);
  });

  it("join a state with the policy of its name and its partition", () => {
    const headers = {
      ratelimit: '"a";r=1;pk=:YQ==:, "a";r=2;pk=:Yg==:',
      "ratelimit-policy": '"a";q=10;pk=:YQ==:, "a";q=20;pk=:Yg==:, "b";q=30;w=60',
    };
    expect(read(headers).limits).toEqual([
      { name: "a", limit: 10, remaining: 1, partition: "YQ==" },
      { name: "a", limit: 20, remaining: 2, partition: "Yg==" },
      { name: "b", limit: 30, windowMs: 60_000 },
    ]);
  });

  it("join no state that fits two policies", () => {
    const policies = { "ratelimit-policy": "10;w=1, 10;w=60" };
    expect(read({ ...policies, ratelimit: "limit=10, remaining=1, reset=1" }).limits[0]).toEqual({
      limit: 10,
      remaining: 1,
      resetAfterMs: 1000,
    });
  });
});

describe("the older fields", () => {
  it.each([
    ["10, 10", "4, 4", [{ limit: 10, remaining: 4 }]],
    ["10, 20", "4", [{ remaining: 4 }]],
    ["10", "4, 5", [{ limit: 10 }]],
    ["10, 20", "4, 5", []],
    ["-1", "unlimited", []],
    ["1e3", "0x10", []],
    ["9".repeat(16), "Infinity", []],
  ])("that say limit %s and remaining %s", (limit, remaining, limits) => {
    expect(read({ "x-ratelimit-limit": limit, "x-ratelimit-remaining": remaining }).limits).toEqual(limits);
  });
});

describe("the response", () => {
  const headers = { "Retry-After": "3", "X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0" };
  const says = { retryAfterMs: 3000, limits: [{ limit: 10, remaining: 0 }] };

  it("may come from fetch, from Node, or from a client that keeps the case of names", () => {
    const shapes: ResponseHead[] = [
      new Response(null, { status: 429, headers }),
      { status: 429, headers: new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])) },
      { status: 429, headers },
      { status: 429, headers: { "retry-after": ["3"], "x-ratelimit-limit": "10", "x-ratelimit-remaining": ["0"] } },
    ];
    for (const response of shapes) expect(readStatement(response, { wallMs })).toEqual(says);
  });

  it("has the types of undici and Node", () => {
    type FromUndici = Awaited<ReturnType<typeof request>>["headers"];
    const fit: ResponseHead["headers"][] = [{} as FromUndici, {} as import("node:http").IncomingHttpHeaders];
    expect(fit).toHaveLength(2);
  });

  it("says nothing without headers, whatever stands in their place", () => {
    for (const headers of [undefined, null, "text", 5, [], { get: "x" }, { get: () => ({}) }, { get: () => 1 / 0 }]) {
      expect(readStatement({ status: 429, headers } as never, { wallMs })).toEqual({ limits: [] });
    }
  });

  it("never makes the reader throw or answer anything but finite numbers from 0 up", () => {
    const names = [
      "date",
      "retry-after",
      "retry-after-ms",
      "x-amz-retry-after",
      "x-ratelimit-retry-after",
      "ratelimit",
      "ratelimit-policy",
      ...["limit", "remaining", "reset"].flatMap((part) => [
        `ratelimit-${part}`,
        `x-ratelimit-${part}`,
        `x-rate-limit-${part}`,
        `x-ratelimit-${part}-tokens`,
        `x-ratelimit-${part}-minute`,
        `anthropic-ratelimit-tokens-${part}`,
      ]),
      "x-ratelimit-reset-after",
      "x-ratelimit-bucket",
    ];
    const pieces = [
      "1",
      "9".repeat(15),
      "1e309",
      "-",
      ".",
      '"a"',
      ";r=",
      ";t=",
      ";q=",
      ";w=",
      ", ",
      "limit=",
      "ms",
      "s",
      "NaN",
      "Infinity",
      NOW,
      "2026-03-01T12:00:00Z",
      " ",
    ];
    const value = fc.oneof(
      fc.constantFrom("0", "60", "1.5", `${wallMs}`, "6m0s", '"a";r=1;t=2', '"a";q=10;w=60', "limit=5, remaining=4"),
      fc.string({ unit: "binary" }),
      fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((list) => list.join("")),
      fc.double().map(String),
      fc.date({ noInvalidDate: false }).map((date) => date.toUTCString()),
    );
    const wall = fc.oneof(fc.constantFrom(0, wallMs, Number.NaN, Infinity, -1), fc.double());
    let numbers = 0;
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names), value, { minKeys: 10, maxKeys: names.length }),
        wall,
        (headers, at) => {
          const { retryAfterMs, limits } = readStatement({ status: 429, headers }, { wallMs: at });
          for (const number of [retryAfterMs, ...limits.flatMap((limit) => Object.values(limit))]) {
            if (typeof number !== "number") continue;
            numbers++;
            expect(Number.isSafeInteger(number) && number >= 0 && !Object.is(number, -0)).toBe(true);
          }
        },
      ),
      { numRuns: 5_000 },
    );
    expect(numbers).toBeGreaterThan(5_000);
  });
});
