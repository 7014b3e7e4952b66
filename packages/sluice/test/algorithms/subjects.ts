import { fixedWindow, slidingWindow, tokenBucket } from "sluice";
import type { LawSubject } from "sluice/testing";

export { seeded } from "./seeded.ts";

type Random = () => number;

const below = (random: Random, end: number) => Math.floor(random() * end);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;
/** From 1 to `most`: as often below 10 as between 10 and 100. */
const upTo = (random: Random, most: number) => Math.floor(most ** random());

const DAY = 86_400_000;
const aLimit = (random: Random) => (random() < 0.5 ? 1 + below(random, 8) : upTo(random, 100_000));
const aPeriod = (random: Random) =>
  random() < 0.5
    ? pick(random, [1, 1_000, 60_000, 3_600_000, DAY, 30 * DAY])
    : upTo(random, 30 * DAY * 1000) / 1000 + 1;

/** A random algorithm of each kind, with the bound that its documentation states. */
export const subjects: Readonly<Record<string, (random: Random) => LawSubject>> = {
  "token bucket": aTokenBucket,
  "sliding window": (random) => aSlidingWindow(random, 100),
  "sliding window, coarse": (random) => aSlidingWindow(random, 3 + below(random, 8)),
  "fixed window": aFixedWindow,
  "fixed window of the calendar": aCalendarWindow,
};

function aTokenBucket(random: Random): LawSubject {
  for (;;) {
    const limit = aLimit(random);
    const periodMs = Math.floor(aPeriod(random));
    const burst = random() < 0.5 ? limit : aLimit(random);
    const period = BigInt(periodMs) * 1000n;
    const longestWait = Number((BigInt(burst) * period - 1n) / BigInt(limit) + 1n);
    if (longestWait > 2 ** 45 || BigInt(burst) * period > 2n ** 51n) continue;
    return {
      algorithm: tokenBucket({ limit, periodMs, burst }),
      bound: (span) => burst + Number((BigInt(limit) * BigInt(span)) / period),
      longestWait,
    };
  }
}

function aSlidingWindow(random: Random, granules: number): LawSubject {
  const limit = aLimit(random);
  const period = Math.round(aPeriod(random) * 1000);
  return {
    algorithm: slidingWindow({ limit, periodMs: period / 1000, granules }),
    bound: (span) => limit * (Math.floor(span / period) + 1),
    longestWait: period,
    blur: Math.ceil(period / granules) - 1,
  };
}

function aFixedWindow(random: Random): LawSubject {
  const limit = aLimit(random);
  const period = Math.round(aPeriod(random) * 1000);
  return {
    algorithm: fixedWindow({ limit, periodMs: period / 1000 }),
    bound: (span) => limit * (Math.floor(span / period) + 2),
    longestWait: 2 * period,
  };
}

/** `Intl` is slow to set up: calendars are shared. Shortest and longest windows, in hours. */
const calendars = [
  { calendar: "hour", timeZone: "Asia/Kathmandu", shortest: 0.5, longest: 2 },
  { calendar: "hour", timeZone: "UTC", shortest: 1, longest: 2 },
  { calendar: "day", timeZone: "Europe/Berlin", shortest: 23, longest: 26 },
  { calendar: "day", timeZone: "Australia/Lord_Howe", shortest: 23, longest: 26 },
  { calendar: "week", timeZone: "UTC", shortest: 168, longest: 170 },
  { calendar: "month", timeZone: "America/New_York", shortest: 671, longest: 746 },
] as const;
const windows = calendars.flatMap(({ shortest, longest, ...options }) =>
  [1, 3, 1000].map((limit) => ({ algorithm: fixedWindow({ limit, ...options }), limit, shortest, longest })),
);

function aCalendarWindow(random: Random): LawSubject {
  const { algorithm, limit, shortest, longest } = pick(random, windows);
  return {
    algorithm,
    bound: (span) => limit * (Math.floor(span / (shortest * 3.6e9)) + 2),
    longestWait: 2 * longest * 3.6e9,
  };
}
