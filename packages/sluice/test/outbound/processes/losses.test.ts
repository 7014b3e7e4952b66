import { Redis } from "ioredis";
import { afterAll, describe, expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { crew, endAll, ended, mostAtOnce, newStore, startsOf, type Worker } from "./crew.ts";

const SLOW = { timeout: 60_000 };

const PLACES = 3;

// They wait for long, and do little: they run side by side.
afterAll(endAll);

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

async function withOneKilled(kind: "SQLite" | "Redis") {
  const { name } = await newStore(kind);
  const orders = { calls: 10_000, gapMs: 40, lastMs: 80, upstream: { concurrency: PLACES } };
  const workers = await crew(4, name, orders);
  const [victim, ...others] = workers as [Worker, ...Worker[]];
  for (let count = 20; count === 20 || victim.made().at(-1)!.end !== undefined; count++) await victim.started(count);
  // It is in the middle of a call.
  await victim.kill();
  const killedAt = nowMs();
  const later = others.map((worker) => ({
    ...worker,
    made: () => worker.made().filter(({ start }) => start > killedAt),
  }));
  // When its places are free again depends on what it waited for, too; that they are is seen by what the others then use.
  while (mostAtOnce(later) < PLACES) await others[0]!.started(others[0]!.made().length + 1);
  return { most: mostAtOnce(workers), mostLater: mostAtOnce(later) };
}

describe.concurrent("places of calls", () => {
  it.each(["SQLite", "Redis"] as const)(
    "over %s are never more than there are, and come back from the killed",
    SLOW,
    async (kind) => {
      expect(await withOneKilled(kind)).toEqual({ most: PLACES, mostLater: PLACES });
    },
  );
});

const LIMIT = 20;
const PERIOD_MS = 500;
const GRACE_MS = PERIOD_MS / 50;
const worst = (starts: readonly number[]) => worstWindow(starts, PERIOD_MS);

describe.concurrent("calls of processes over Redis", () => {
  /** What happens to Redis may let as much start once more, but no more than that, and nobody is lost. */
  async function disturbed(
    disturb: (redis: NonNullable<Awaited<ReturnType<typeof newStore>>["redis"]>) => Promise<void>,
  ) {
    const { name, redis } = await newStore("Redis");
    const workers = await crew(4, name, { calls: 15, upstream: { limit: `${LIMIT}/${PERIOD_MS}ms` } });
    await workers[0]!.started(10);
    const from = Number(process.hrtime.bigint()) / 1e6;
    await disturb(redis!);
    const until = Number(process.hrtime.bigint()) / 1e6;
    await Promise.all(workers.map(({ done }) => done));
    const starts = startsOf(workers);
    expect(starts.length).toBe(60);
    expect(worst(starts)).toBeLessThanOrEqual(2 * LIMIT);
    expect(worst(starts.filter((at) => at < from))).toBeLessThanOrEqual(LIMIT);
    expect(worst(starts.filter((at) => at > until + GRACE_MS))).toBeLessThanOrEqual(LIMIT);
  }

  it("start once more what it has forgotten, after FLUSHALL, and no more than that", SLOW, () =>
    disturbed(async ({ url }) => {
      const client = new Redis(url, { autoResendUnfulfilledCommands: false });
      ended.push(() => client.disconnect());
      await client.flushall();
    }),
  );

  it("go on when it was started anew with nothing in it", SLOW, () => disturbed((redis) => redis.restart()));
});
