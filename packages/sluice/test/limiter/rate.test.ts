import {
  createLimiter,
  memoryStore,
  parseDuration,
  parseRate,
  perDay,
  perMinute,
  perMonth,
  perPeriod,
  perSecond,
  quota,
  slidingWindow,
} from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 86_400 * SECOND;

describe("a rate as text", () => {
  it.each([
    ["10/s", "per-second", 10, SECOND, "sliding-window"],
    ["60/min", "per-minute", 60, MINUTE, "sliding-window"],
    [" 60 / min ", "per-minute", 60, MINUTE, "sliding-window"],
    ["60/minute", "per-minute", 60, MINUTE, "sliding-window"],
    ["60/1m", "per-minute", 60, MINUTE, "sliding-window"],
    ["5/2min", "per-2-minutes", 5, 2 * MINUTE, "sliding-window"],
    ["5/10 s", "per-10-seconds", 5, 10 * SECOND, "sliding-window"],
    ["5/1.5s", "per-1500-ms", 5, 1_500, "sliding-window"],
    ["5/250ms", "per-250-ms", 5, 250, "sliding-window"],
    ["1/30d", "per-30-days", 1, 30 * DAY, "sliding-window"],
    ["7/week", "per-week", 7, 7 * DAY, "sliding-window"],
    ["0.5/s", "per-2-seconds", 1, 2 * SECOND, "sliding-window"],
    ["0.1/min", "per-10-minutes", 1, 10 * MINUTE, "sliding-window"],
    ["1_000_000/day", "per-day", 1_000_000, DAY, "sliding-window"],
    ["1000000000/day", "per-day", 1e9, DAY, "sliding-window"],
    ["20/s burst 40", "per-second", 40, 2 * SECOND, "token-bucket"],
    ["100000/day UTC", "per-day", 100_000, DAY, "fixed-window"],
    ["10/h Asia/Kathmandu", "per-hour", 10, 3_600 * SECOND, "fixed-window"],
    ["10/week America/Argentina/Buenos_Aires", "per-week", 10, 7 * DAY, "fixed-window"],
    ["10/day Etc/GMT+3", "per-day", 10, DAY, "fixed-window"],
    ["1000/month Europe/Berlin", "per-month", 1_000, 30 * DAY, "fixed-window"],
  ])("%j is %s, %d in %d ms, a %s", (text, name, limit, periodMs, algorithm) => {
    expect(parseRate(text)).toMatchObject({ name, limit, periodMs, algorithm: { name: algorithm } });
    expect(parseRate(text, { name: "mine" }).name).toBe("mine");
  });

  it.each([
    ["", "is not a rate. Write"],
    ["60", "is not a rate. Write"],
    ["/min", "is not a rate"],
    ["60/", "is not a rate"],
    ["sixty/min", "is not a rate"],
    ["-1/s", "is not a rate"],
    ["+1/s", "is not a rate"],
    ["_/s", "is not a rate"],
    ["1e9/day", "is not a rate"],
    ["0x10/s", "is not a rate"],
    ["٣/s", "is not a rate"],
    ["１０/s", "is not a rate"],
    ["10\u2044s", "is not a rate"],
    ["10/s; 20/min", "is not a rate"],
    ["10/s burst", "is not a rate"],
    ["10/s burst -1", "is not a rate"],
    ["10/s burst 5 burst 6", "is not a rate"],
    ["10/day utc", "is not a rate"],
    ["10/fortnight", 'unknown period "fortnight"'],
    ["10/year", 'unknown period "year"'],
    ["10/2month UTC", 'unknown period "2month"'],
    ["10/month", 'needs a time zone, because months differ in length: "10/month UTC"'],
    ["0/s", '"0/s" cannot be: limit must be a whole number of at least 1, but it is 0'],
    ["1.5/s", '1.5 per second is not a whole number. Write 3 per 2 seconds: "3/2 seconds".'],
    ["0.3/s", 'not one per a whole number of microseconds. Write 3 per 10 seconds: "3/10 seconds".'],
    ["99999999999999999999/s", "limit must be a whole number"],
    ["10/0s", "from 0.001 to 71 years, but it is 0"],
    ["10/99999999999d", "from 0.001 to 71 years"],
    ["10/s burst 0", "burst must be a whole number of at least 1, but it is 0"],
    ["10/day Mars/Olympus", '"Mars/Olympus" is not a time zone'],
    ["10/min UTC", "per hour, day, week or month, but it is per minute"],
    ["10/2h UTC", "but it is per 2 hours"],
    ["10/day burst 20 UTC", "has no burst"],
    ["999999937/day burst 999999937", "The nearest that fits: limit 1000000000"],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseRate(text)).toThrow(RangeError);
    expect(() => parseRate(text)).toThrow(message);
    expect(() => createLimiter({ quota: text })).toThrow(message);
  });

  it("shows a long text shortened", () => {
    expect(() => parseRate("x".repeat(10_000))).toThrow(`"${"x".repeat(57)}..." is not a rate`);
  });
});

describe("a quota", () => {
  it.each(["", "Users", "1st", "a b", "a/b", "ü", 'a"', undefined, 7])("cannot be named %j", (name) => {
    const algorithm = slidingWindow({ limit: 1, periodMs: 1 });
    expect(() => quota({ name: name as string, text: "", periodMs: 1, algorithm })).toThrow(
      "A quota's name begins with",
    );
  });

  it.each([[[]], [[perMinute(1), perMinute(2)]], ["nonsense"], [{}], [null], [7], [[perMinute(1), undefined]]])(
    "cannot be %j",
    (given) => {
      expect(() => createLimiter({ quota: given as never })).toThrow(/quota|rate/);
    },
  );

  it("tells quotas of one name apart when they are named", () => {
    const quotas = [perMinute(10), perMinute(100, { name: "all" })];
    expect(createLimiter({ quota: quotas }).quotas).toEqual(quotas);
  });

  it("cannot be of a month without a zone that exists", () => {
    expect(() => perMonth(1, { timeZone: "Nowhere" })).toThrow('"Nowhere" is not a time zone');
  });

  it.each([
    [perSecond(0.1), 10_000],
    [perMinute(0.25), 240_000],
    [perDay(0.001), 1000 * DAY],
    [perPeriod(1e-3, 7), 7_000],
  ])("below one is one in a longer time: %o", (below, periodMs) => {
    expect(below).toMatchObject({ limit: 1, periodMs });
  });

  it("says what it is", () => {
    expect(perSecond(20, { burst: 40 }).text).toBe("20 per second in bursts of up to 40");
    expect(perSecond(0.5).text).toBe("1 per 2 seconds");
    expect(perDay(5, { timeZone: "UTC" }).text).toBe("5 per calendar day (UTC)");
  });
});

describe("rates that are hard for floating point", () => {
  it.each([7, 11, 13, 59])("%d per minute with a burst pass in exactly a minute, over and over", (limit) => {
    const clock = manualClock();
    const limiter = createLimiter({ quota: perMinute(limit, { burst: limit }), store: memoryStore({ clock }) });
    for (let minute = 0; minute < 1000; minute++) {
      expect(limiter.consume("a", limit)).toMatchObject({ allowed: true, remaining: 0 });
      expect(limiter.peek("a", limit).retryAfterMs).toBe(60_000);
      clock.advanceSync(59_999.999);
      expect(limiter.peek("a", limit).allowed).toBe(false);
      clock.advanceSync(0.001);
    }
  });

  it("counts one per 30 days", () => {
    const clock = manualClock();
    const limiter = createLimiter({ quota: "1/30d", store: memoryStore({ clock }) });
    limiter.consume("a");
    expect(limiter.consume("a").retryAfterMs).toBe(30 * DAY);
    clock.advanceSync(30 * DAY - 0.001);
    expect(limiter.consume("a")).toMatchObject({ allowed: false, retryAfterMs: 1 });
    clock.advanceSync(0.001);
    expect(limiter.consume("a").allowed).toBe(true);
  });
});

it.each([
  ["90s", 90_000],
  ["5 min", 300_000],
  ["day", DAY],
  ["1.5h", 5_400_000],
  ["0ms", 0],
  ["1M", undefined],
  ["5", undefined],
  ["-1s", undefined],
  ["5 s s", undefined],
  ["toString", undefined],
])("the duration %j is %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});
