import { afterEach, describe, expect, it } from "vitest";
import { startOracleApart } from "../oracle/apart.ts";
import type { OracleOptions } from "../oracle/server.ts";
import { worstWindow } from "../oracle/windows.ts";
import { crew, endAll, ended, newStore, startsOf } from "./crew.ts";

const SLOW = { timeout: 60_000 };
const LIMIT = 20;
const PERIOD_MS = 500;
const CALLS = 48;

afterEach(endAll);

/** Processes that call the judge, with delays on the way there and back. */
async function judged(kind: "memory" | "SQLite" | "Redis", count: number, policy: OracleOptions["policy"] & string) {
  const oracle = await startOracleApart({
    policy,
    limit: LIMIT,
    periodMs: PERIOD_MS,
    beforeMs: [0, 40],
    afterMs: [0, 20],
  });
  ended.push(() => oracle.stop());
  const { name } = await newStore(kind);
  const calls = CALLS / count;
  const upstream = { limit: `${LIMIT}/${PERIOD_MS}ms`, anchor: "end" } as const;
  const workers = await crew(count, name, { calls, upstream, url: oracle.url });
  await Promise.all(workers.map(({ done }) => done));
  const { arrivals, rejected } = await oracle.report();
  expect(arrivals.length).toBe(CALLS);
  return {
    rejected,
    worst: worstWindow(
      arrivals.map(({ atMs }) => atMs),
      PERIOD_MS,
    ),
    starts: startsOf(workers),
  };
}

describe.each([
  ["memory", 1],
  ["SQLite", 1],
  ["SQLite", 4],
  ["Redis", 4],
  ["Redis", 8],
] as const)("calls over %s from %d processes", (kind, count) => {
  it.each(kind === "Redis" && count === 4 ? (["sliding", "fixed", "bucket", "gcra"] as const) : (["sliding"] as const))(
    "are never rejected by a server that counts as %s",
    SLOW,
    async (policy) => {
      expect(await judged(kind, count, policy)).toMatchObject({ rejected: 0 });
    },
  );
});

it("finds out processes that count each for itself", SLOW, async () => {
  const oracle = await startOracleApart({ limit: LIMIT, periodMs: PERIOD_MS });
  ended.push(() => oracle.stop());
  const { name } = await newStore("SQLite");
  const upstream = { limit: `${LIMIT}/${PERIOD_MS}ms` };
  const workers = await crew(2, name, { calls: 40, upstream, url: oracle.url, isCareless: true });
  await Promise.all(workers.map(({ done }) => done));
  expect((await oracle.report()).rejected).toBeGreaterThan(0);
  expect(worstWindow(startsOf(workers), PERIOD_MS)).toBeGreaterThan(LIMIT);
});
