// A service that sells answers by the token: what a call costs is known only when it is done. Time is a manual clock, so
// that an hour passes in no time, and everything that is said here is also asserted.
import assert from "node:assert/strict";
import {
  createConcurrencyLimiter,
  createLimiter,
  memoryStore,
  perDay,
  perMinute,
  RateLimitError,
  reserveTogether,
} from "sluice";
import { manualClock } from "sluice/testing";

const clock = manualClock({ wall: new Date("2026-03-28T22:59:00Z") });
const store = memoryStore({ clock });

const requests = createLimiter({ name: "requests", quota: "3/min", store });
const tokens = createLimiter({
  name: "tokens",
  quota: [perMinute(1_000, { burst: 1_500 }), perDay(50_000, { timeZone: "Europe/Berlin" })],
  store,
});
const reports = createLimiter({ name: "reports", quota: "5/day Europe/Berlin", store });

console.log("Reserve what a call may cost, settle for what it did cost.");
const reservation = tokens.reserve("ann", 800);
assert.ok(reservation.decision.allowed);
reservation.commit(300);
assert.equal(tokens.peek("ann", 0).remaining, 1_200);

console.log("Two limiters, one decision: refused by one, charged by none.");
for (let i = 0; i < 3; i++) requests.consume("ann");
const both = reserveTogether([
  { limiter: requests, key: "ann" },
  { limiter: tokens, key: "ann", cost: 100 },
]);
assert.equal(both.decision.quota, "per-minute");
assert.equal(both.decision.allowed, false);
assert.equal(tokens.peek("ann", 0).remaining, 1_200);

console.log("A day of Berlin ends with its midnight: in winter an hour before that of UTC.");
assert.ok(reports.consume("bob", 5).allowed);
assert.equal(reports.consume("bob").retryAfterMs, 60_000);
await clock.advance(60_000);
assert.equal(reports.consume("bob").resetAfterMs, 23 * 3_600_000); // The day on which summer time begins.

console.log("Wait in line, first come, first served; who would be too late is told so at once.");
const order: string[] = [];
const waiting = ["first", "second"].map((who) => requests.wait("cat", { cost: 3 }).then(() => order.push(who)));
const tooLate = await requests.wait("cat", { cost: 3, maxWaitMs: 90_000 }).catch((error: unknown) => error);
assert.ok(tooLate instanceof RateLimitError);
assert.equal(tooLate.decision.retryAfterMs, 120_000);
await clock.advance(60_000);
await Promise.all(waiting);
assert.deepEqual(order, ["first", "second"]);

console.log("Two at once; a place that is lost comes back by itself.");
const places = createConcurrencyLimiter({ limit: 2, leaseMs: 30_000, store });
const held = [places.acquire("ann"), places.acquire("ann")];
assert.equal(places.acquire("ann").decision.allowed, false);
held[0]!.release();
assert.equal(await places.run("ann", () => "ran"), "ran");
await clock.advance(30_000);
assert.equal(places.peek("ann", 2).allowed, true);

console.log("All of it is true.");
