import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { createLimiter, memoryStore, perSecond } from "sluice";
import { rateLimit } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";

// What FastMCP's Python limiter gets wrong by itself, without any server, and what happens here instead.

describe("2. A rate below 0.5 per second gives capacity 0, and every request is denied for ever", () => {
  it("0.25 per second is one per four seconds", () => {
    const clock = manualClock();
    const limiter = createLimiter({ quota: perSecond(0.25, { burst: 1 }), store: memoryStore({ clock }) });
    expect(limiter.consume("k").allowed).toBe(true);
    expect(limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: 4000 });
    clock.advanceSync(3999);
    expect(limiter.consume("k").allowed).toBe(false);
    clock.advanceSync(1);
    expect(limiter.consume("k").allowed).toBe(true);
  });

  it("2.5 per second is five per two seconds", () => {
    const clock = manualClock();
    const limiter = createLimiter({ quota: "5/2s burst 5", store: memoryStore({ clock }) });
    limiter.consume("k", 5);
    expect(limiter.consume("k")).toMatchObject({ allowed: false, retryAfterMs: 400 });
  });

  it("a burst of 0 is an error, not ignored", () => {
    expect(() => perSecond(10, { burst: 0 })).toThrow("burst must be a whole number of at least 1, but it is 0.");
    expect(() => rateLimit(new McpServer({ name: "x", version: "1" }), { perClient: "10/s burst 0" })).toThrow(
      "burst must be a whole number of at least 1",
    );
  });
});

describe("3. It reads the wall clock: a step back locks out, a step forward refills", () => {
  it.each([
    ["token bucket", "1/s burst 3"],
    ["sliding window", "3/3s"],
  ])("%s: an hour back or forth changes nothing", (_name, quota) => {
    for (const hours of [-1, 1]) {
      const clock = manualClock();
      const limiter = createLimiter({ quota, store: memoryStore({ clock }) });
      expect(limiter.consume("k", 3).allowed).toBe(true);
      clock.stepWall(hours * 3_600_000);
      expect(limiter.consume("k", 3)).toMatchObject({ allowed: false, retryAfterMs: 3000 });
      clock.advanceSync(3000);
      expect(limiter.consume("k", 3).allowed).toBe(true);
    }
  });
});

describe("4. The map of clients is never emptied", () => {
  it("clients that have gone make room for those that come", () => {
    const clock = manualClock();
    const store = memoryStore({ clock });
    const limiter = createLimiter({ quota: "10/s burst 20", store });
    for (let i = 0; i < 50_000; i++) limiter.consume(`old ${i}`);
    expect(store.stats().keys).toBe(50_000);
    clock.advanceSync(11 * 86_400_000);
    for (let i = 0; i < 25_000; i++) limiter.consume(`new ${i}`);
    expect(store.stats().keys).toBe(25_000);
  });

  it("a flood of made-up clients stays within the bound, and frees nobody from what he owes", () => {
    const clock = manualClock();
    const store = memoryStore({ clock, maxKeys: 1000 });
    const limiter = createLimiter({ quota: "1/h", store });
    limiter.consume("debtor");
    for (let i = 0; i < 50_000; i++) limiter.consume(`made up ${i}`);
    expect(store.stats().keys).toBeLessThanOrEqual(1000);
    expect(limiter.consume("debtor").allowed).toBe(false);
  });
});
