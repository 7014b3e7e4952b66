import { type CalendarUnit, createLimiter, fixedWindow, memoryStore, step } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { seeded } from "./subjects.ts";

const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
  "Pacific/Apia",
  "America/Havana",
  "Antarctica/Troll",
];
const MINUTE = 60_000;
const HOURS = 3_600_000;

/** End of the window that holds `ms`, as the algorithm has it. */
function endOf(algorithm: ReturnType<typeof fixedWindow>, ms: number): number {
  return step(algorithm, undefined, ms * 1000, 1).receipt / 1000;
}

/** What the clock on the wall shows, minute by minute: slow, and nothing like the code that it checks. */
function wallClock(timeZone: string): (ms: number) => Date {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  return (ms) => new Date(`${format.format(ms).replace(" ", "T")}Z`);
}

/** The first minute after `ms` in which the wall clock is in another window. */
function scanned(unit: CalendarUnit, timeZone: string, ms: number): number {
  const shownAt = wallClock(timeZone);
  const windowAt = (at: number): string => {
    const shown = shownAt(at);
    const day = shown.toISOString().slice(0, 10);
    if (unit === "hour") return `${shown.toISOString().slice(0, 13)} ${shown.getTime() - at}`;
    if (unit === "day") return day;
    if (unit === "month") return day.slice(0, 7);
    const monday = new Date(`${day}T00:00:00Z`);
    monday.setUTCDate(monday.getUTCDate() - ((monday.getUTCDay() + 6) % 7));
    return monday.toISOString();
  };
  let minute = Math.floor(ms / MINUTE) * MINUTE;
  const current = windowAt(minute);
  while (windowAt(minute) === current) minute += MINUTE;
  return minute;
}

describe.each(ZONES)("windows in %s", (timeZone) => {
  it.each([
    ["hour", 30],
    ["day", 12],
    ["week", 3],
    ["month", 1],
  ] as const)("end with the %s of the wall clock", (unit, count) => {
    const random = seeded(timeZone.length * 1000 + count);
    const algorithm = fixedWindow({ limit: 1, calendar: unit, timeZone });
    for (let i = 0; i < count; i++) {
      const ms = Date.UTC(2012, 0) + Math.floor(random() * 30 * 365 * 24 * HOURS);
      expect(new Date(endOf(algorithm, ms))).toEqual(new Date(scanned(unit, timeZone, ms)));
    }
  });
});

it.each([
  ["Europe/Berlin", "2026-03-29T00:00+01:00", 23],
  ["Europe/Berlin", "2026-10-25T00:00+02:00", 25],
  ["America/New_York", "2026-03-08T00:00-05:00", 23],
  ["America/New_York", "2026-11-01T00:00-04:00", 25],
  ["Australia/Lord_Howe", "2026-04-05T00:00+11:00", 24.5],
  ["Australia/Lord_Howe", "2026-10-04T00:00+10:30", 23.5],
  ["America/Havana", "2026-03-07T00:00-05:00", 24],
  ["America/Havana", "2026-03-08T01:00-04:00", 23],
  ["America/Havana", "2026-11-01T00:00-04:00", 25],
  ["Antarctica/Troll", "2026-03-29T00:00+00:00", 22],
  ["Antarctica/Troll", "2026-10-25T00:00+02:00", 26],
  ["Asia/Kathmandu", "2026-05-05T00:00+05:45", 24],
  ["Pacific/Apia", "2011-12-29T00:00-10:00", 24],
  ["Pacific/Apia", "2011-12-31T00:00+14:00", 24],
])("a day in %s from %s has %d hours, from its first moment to its last", (timeZone, start, hours) => {
  const algorithm = fixedWindow({ limit: 1, calendar: "day", timeZone });
  const from = Date.parse(start);
  const end = from + hours * HOURS;
  expect(endOf(algorithm, from - 0.001)).toBe(from);
  for (const ms of [0, 1, hours * HOURS * 0.1, hours * HOURS * 0.5, hours * HOURS - 1]) {
    expect(endOf(algorithm, Math.floor(from + ms))).toBe(end);
  }
  expect(endOf(algorithm, end)).toBeGreaterThan(end);
});

it.each([
  ["2024-02-01T00:00Z", "2024-03-01T00:00Z"],
  ["2023-02-28T23:59Z", "2023-03-01T00:00Z"],
  ["2100-02-10T00:00Z", "2100-03-01T00:00Z"],
  ["2000-02-29T12:00Z", "2000-03-01T00:00Z"],
  ["2026-12-31T23:59Z", "2027-01-01T00:00Z"],
  ["2026-01-01T00:00Z", "2026-02-01T00:00Z"],
])("the month of %s ends at %s", (at, end) => {
  const algorithm = fixedWindow({ limit: 1, calendar: "month" });
  expect(endOf(algorithm, Date.parse(at))).toBe(Date.parse(end));
});

it("knows that weeks begin on Monday, whatever the year", () => {
  const algorithm = fixedWindow({ limit: 1, calendar: "week" });
  expect(endOf(algorithm, Date.parse("2026-12-31T00:00Z"))).toBe(Date.parse("2027-01-04T00:00Z"));
  expect(endOf(algorithm, Date.parse("2027-01-03T23:59:59.999Z"))).toBe(Date.parse("2027-01-04T00:00Z"));
});

it.each([
  [{ limit: 1, calendar: "year" as never }, 'A calendar unit is one of hour, day, week, month, but it is "year"'],
  [{ limit: 1, calendar: "day", timeZone: "Mars/Olympus" }, '"Mars/Olympus" is not a time zone'],
  [{ limit: 1, calendar: "day", timeZone: "" }, "is not a time zone"],
  [{ limit: 1, calendar: "day", periodMs: 1000 }, "either a periodMs or a calendar unit"],
  [{ limit: 1 }, "either a periodMs or a calendar unit"],
  [{ limit: 1, periodMs: 1000, timeZone: "UTC" }, "A time zone needs a calendar unit"],
  [{ limit: 0, periodMs: 1000 }, "limit must be a whole number of at least 1, but it is 0"],
  [{ limit: 1, periodMs: Number.NaN }, "periodMs must be a number of milliseconds"],
] as const)("refuses %j: %s", (options, message) => {
  expect(() => fixedWindow(options)).toThrow(message);
});

describe("a clock on the wall that is set", () => {
  const at = (wall: string, quota = "3/day UTC") => {
    const clock = manualClock({ wall: new Date(wall) });
    const limiter = createLimiter({ quota: [quota, "1000/s"], store: memoryStore({ clock }) });
    return {
      clock,
      limiter,
      remaining: () => limiter.peek("a", 0).remaining,
      wall: () => new Date(clock.wall() / 1000),
    };
  };

  it.each([1, 13, 24, 36])("back by %d hours and forth again opens nothing and locks nothing", (hours) => {
    const { clock, limiter, remaining } = at("2026-05-05T12:00Z");
    limiter.consume("a", 2);
    clock.stepWall(-hours * HOURS);
    expect(remaining()).toBe(1);
    expect(limiter.consume("a")).toMatchObject({ allowed: true, remaining: 0 });
    expect(limiter.consume("a")).toMatchObject({ allowed: false, retryAfterMs: (hours + 12) * HOURS });
    clock.stepWall(hours * HOURS);
    expect(limiter.consume("a")).toMatchObject({ allowed: false, retryAfterMs: 12 * HOURS });
    clock.advanceSync(12 * HOURS);
    expect(remaining()).toBe(3);
  });

  it("back by a year locks nobody for a year", () => {
    const { clock, limiter, remaining } = at("2026-05-05T12:00Z");
    limiter.consume("a", 3);
    clock.stepWall(-365 * 24 * HOURS);
    expect(limiter.consume("a")).toMatchObject({ allowed: false, retryAfterMs: 12 * HOURS });
    clock.advanceSync(12 * HOURS);
    expect(remaining()).toBe(3);
    expect(limiter.consume("a").allowed).toBe(true);
  });

  it("forth into tomorrow and back spends what is tomorrow's", () => {
    const { clock, limiter } = at("2026-05-05T12:00Z");
    limiter.consume("a", 3);
    clock.stepWall(24 * HOURS);
    expect(limiter.consume("a", 2).allowed).toBe(true);
    clock.stepWall(-24 * HOURS);
    expect(limiter.consume("a").allowed).toBe(true);
    expect(limiter.consume("a")).toMatchObject({ allowed: false, retryAfterMs: 36 * HOURS });
  });

  it.each(["3/min", "3/min burst 3"])("changes nothing for %s, which counts elapsed time", (quota) => {
    const { clock, limiter, remaining } = at("2026-05-05T12:00Z", quota);
    limiter.consume("a", 3);
    for (const hours of [-1, 2, -10_000, 20_000]) {
      clock.stepWall(hours * HOURS);
      expect(remaining()).toBe(0);
    }
    clock.advanceSync(MINUTE);
    expect(remaining()).toBe(3);
  });
});
