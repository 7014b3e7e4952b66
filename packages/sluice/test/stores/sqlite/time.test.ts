import { DatabaseSync } from "node:sqlite";
import { createConcurrencyLimiter, createLimiter } from "sluice";
import { type ManualClock, manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { newPath, openStore } from "./files.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

function limiterOn(path: string, clock: ManualClock, quota = "2/min") {
  return createLimiter({ quota, store: openStore({ path, clock }) });
}

describe("a clock that steps", () => {
  it.each([["a second"], ["an hour"], ["a year"]])("back by %s neither opens a limit nor locks it", async (step) => {
    const back = { "a second": SECOND, "an hour": HOUR, "a year": YEAR }[step]!;
    const clock = manualClock();
    const limiter = limiterOn(newPath(), clock);
    await limiter.consume("k", 2);
    clock.stepWall(-back);
    expect(await limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: MINUTE });
    // A step of up to a second holds time still until the wall has caught up.
    clock.advanceSync(MINUTE - 1 + (back === SECOND ? SECOND : 0));
    expect(await limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: 1 });
    clock.advanceSync(1);
    expect((await limiter.consume("k", 2)).allowed).toBe(true);
  });

  it("years ahead and back again locks nothing: other processes and later ones go on", async () => {
    const path = newPath();
    const astray = manualClock({ wall: new Date("2049-06-01T00:00:00Z") });
    for (const quota of ["2/min", "2/min burst 2", "2/day UTC"]) await limiterOn(path, astray, quota).consume("k", 2);
    await createConcurrencyLimiter({ limit: 1, leaseMs: MINUTE, store: openStore({ path, clock: astray }) }).acquire(
      "k",
    );
    const clock = manualClock();
    const limiters = ["2/min", "2/min burst 2"].map((quota) => limiterOn(path, clock, quota));
    for (const limiter of limiters) expect((await limiter.consume("k", 2)).allowed).toBe(false);
    clock.advanceSync(MINUTE);
    for (const limiter of limiters) {
      expect((await limiter.consume("k", 2)).allowed).toBe(true);
      expect((await limiter.consume("k")).allowed).toBe(false);
    }
    expect(await limiterOn(path, clock, "2/day UTC").peek("k", 2)).toMatchObject({ retryAfterMs: DAY - MINUTE });
    const places = createConcurrencyLimiter({ limit: 1, leaseMs: MINUTE, store: openStore({ path, clock }) });
    expect((await places.acquire("k")).decision.allowed).toBe(true);
  });

  it("ahead again and again comes to no end of numbers", async () => {
    const path = newPath();
    const clock = manualClock();
    const limiter = limiterOn(path, clock);
    for (let i = 0; i < 12; i++) {
      await limiter.consume("k", 2);
      clock.stepWall((i % 2 === 0 ? 50 : -50) * YEAR);
    }
    await limiter.consume("k", 2);
    expect(await limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: MINUTE });
    clock.advanceSync(MINUTE);
    expect((await limiter.consume("k", 2)).allowed).toBe(true);
    clock.stepWall(200 * YEAR);
    await expect(limiter.consume("k")).rejects.toThrow("beyond the year 2184");
  });

  it("differs a little between two processes: time is the later one's, and never goes back", async () => {
    const path = newPath();
    const clock = manualClock();
    const late = manualClock({ wall: new Date("2025-12-31T23:59:59.500Z") });
    const [first, second] = [limiterOn(path, clock), limiterOn(path, late)];
    await first.consume("k", 2);
    for (let i = 0; i < 119; i++) {
      clock.advanceSync(500);
      late.advanceSync(500);
      expect((await second.consume("k")).allowed).toBe(false);
      expect((await first.consume("k")).allowed).toBe(false);
    }
    clock.advanceSync(500);
    expect((await first.consume("k")).allowed).toBe(true);
  });

  it("shows the calendar of today", async () => {
    const clock = manualClock({ wall: new Date("2026-03-01T23:59:59Z") });
    const limiter = limiterOn(newPath(), clock, "1/day UTC");
    await limiter.consume("k");
    clock.advanceSync(SECOND);
    expect((await limiter.consume("k")).allowed).toBe(true);
    clock.stepWall(-2 * SECOND);
    expect((await limiter.consume("k")).allowed).toBe(false);
  });
});

describe("keys that have ended", () => {
  const rowsOf = (path: string) => {
    const database = new DatabaseSync(path);
    const { count } = database.prepare("SELECT count(*) AS count FROM sluice_states_1").get() as { count: number };
    database.close();
    return count;
  };

  it("leave the file a few at a time, as others come", async () => {
    const path = newPath();
    const clock = manualClock();
    const limiter = limiterOn(path, clock, "2/min");
    const daily = limiterOn(path, clock, "2/day UTC");
    for (let i = 0; i < 100; i++) await limiter.consume(`old-${i}`);
    for (let i = 0; i < 10; i++) await daily.consume(`daily-${i}`);
    expect(rowsOf(path)).toBe(110);
    clock.advanceSync(2 * MINUTE);
    for (let i = 0; i < 150; i++) await limiter.consume(`new-${i}`);
    expect(rowsOf(path)).toBe(160);
    for (let i = 0; i < 10; i++) expect((await daily.consume(`daily-${i}`)).remaining).toBe(0);
  });

  it("leave no trace when everything was handed back, and those that changed nothing leave none either", async () => {
    const path = newPath();
    const store = openStore({ path, clock: manualClock() });
    const limiter = createLimiter({ quota: "1/min", store });
    const places = createConcurrencyLimiter({ limit: 1, store });
    const reservation = await limiter.reserve("k");
    const lease = await places.acquire("k");
    expect(rowsOf(path)).toBe(2);
    await reservation.release();
    await lease.release();
    await limiter.peek("peeked");
    await limiter.consume("free", 0);
    await limiter.consume("too much", 2);
    await limiter.reset("reset");
    expect(rowsOf(path)).toBe(0);
  });
});
