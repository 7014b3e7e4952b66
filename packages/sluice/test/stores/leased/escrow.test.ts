import * as library from "sluice";
import { describe, expect, it } from "vitest";
import { mostInAnyWindow } from "./checkers.ts";
import { escrow } from "./escrow.ts";
import { simulate } from "./simulation.ts";

const COMMON = { processes: 8, forMs: 300_000, rate: 3_000 };
const LIMIT = 60_000;

/** Both ways, in the same weather: units of 60,000 a minute that were used from a second to another, and calls per check. */
async function both(options: Partial<Parameters<typeof escrow>[0]>, from: number, to: number) {
  const all = { ...COMMON, ...options };
  const shares = escrow({ limit: LIMIT, windowMs: 60_000, leaseMs: 400, ...all });
  const grants = await simulate(library, { seed: 1, quota: ({ perMinute }) => perMinute(LIMIT), ...all });
  const usable = (LIMIT / 60) * (to - from);
  return {
    escrow: {
      used: shares.used.slice(from, to).reduce((sum, units) => sum + units, 0) / usable,
      callsPerCheck: shares.storeCalls / shares.checks,
      most: shares.mostInAnyWindow,
    },
    leases: {
      used: grants.admissions.filter((one) => one.from >= from * 1e6 && one.from < to * 1e6).length / usable,
      callsPerCheck: grants.storeCalls / grants.checks,
      most: mostInAnyWindow(grants.admissions, 60_000_000),
    },
  };
}

describe("dated grants, and shares that are handed over", () => {
  it("both use the whole limit under overload, with few calls of the store", async () => {
    const found = await both({ forMs: 180_000 }, 60, 180);
    for (const { used, callsPerCheck, most } of Object.values(found)) {
      expect(used).toBeGreaterThan(0.99);
      expect(callsPerCheck).toBeLessThan(0.01);
      expect(most).toBeLessThanOrEqual(LIMIT);
    }
  });

  it("grants go on through a deploy of all processes; shares rest for a window", async () => {
    const { escrow: shares, leases } = await both({ forMs: 190_000, rate: 1_050, deploysMs: [125_000] }, 125, 185);
    expect(leases.used).toBeGreaterThan(0.97);
    expect(leases.most).toBeLessThanOrEqual(LIMIT);
    expect(shares.used).toBeLessThan(0.1);
    expect(shares.most).toBeLessThanOrEqual(LIMIT);
  });
});
