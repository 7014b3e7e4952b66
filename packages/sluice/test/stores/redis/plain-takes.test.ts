import fc from "fast-check";
import { Redis } from "ioredis";
import {
  createLimiter,
  type Demand,
  decide,
  perPeriod,
  type Quota,
  type State,
  slidingWindow,
  tokenBucket,
} from "sluice";
import { redisStore } from "sluice/redis";
import { manualClock } from "sluice/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { block } from "../../../src/algorithms/block.ts";
import { ledger } from "../../../src/limiter/store.ts";
import { seeded } from "../../algorithms/seeded.ts";
import { type RedisServer, startRedis } from "./server.ts";

// What nearly all calls are has a script of its own: it must say, and leave behind, what the script of everything does.

let server: RedisServer;
let client: Redis;
beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

const QUOTAS = {
  "an exact window": slidingWindow({ limit: 7, periodMs: 1_000 }),
  "a coarse window": slidingWindow({ limit: 60, periodMs: 1_000, granules: 5 }),
  "a window of large numbers": slidingWindow({ limit: 2 ** 40, periodMs: 86_400_000_000 }),
  "a bucket": tokenBucket({ limit: 7, periodMs: 1_000, burst: 12 }),
  "a bucket of large numbers": tokenBucket({ limit: 1_000_003, periodMs: 60_000, burst: 500_000 }),
};
const KEYS = ["a", "b", "c", "d"];

let prefixes = 0;

/** A life of four keys: mostly plain takes, many in one turn, and now and then what only the other script knows. */
async function live(random: () => number, name: keyof typeof QUOTAS): Promise<void> {
  const below = (end: number) => Math.floor(random() * end);
  const clock = manualClock();
  clock.elapsed = clock.wall;
  const store = redisStore({ client, clock, prefix: `p${prefixes++}:`, timeoutMs: 20_000 });
  const algorithm = QUOTAS[name];
  const quota = ledger("quota", algorithm);
  const blocks = ledger("blocks", block);
  const states = new Map<string, State>();
  const receipts: number[] = [0];

  const model = (demands: readonly Demand[], mode: 0 | 2) => {
    const nameOf = (demand: Demand) => demand.ledger.space + demand.key;
    const given = demands.map((demand) => states.get(nameOf(demand)));
    const steps = decide(demands, given, { elapsed: clock.elapsed(), wall: clock.wall() }, { mode });
    for (const [i, demand] of demands.entries()) states.set(nameOf(demand), steps[i]!.state);
    return steps.map(({ state: _, ...taken }) => taken);
  };

  for (let turn = 0; turn < 40; turn++) {
    if (random() < 0.7) clock.advanceSync(Math.floor(1_500 ** random()) - (random() < 0.5 ? 0.999 : 0));
    if (random() < 0.05) clock.stepWall(-Math.floor(3_000 ** random()));
    const isOdd = random() < 0.15;
    const calls = Array.from({ length: 1 + below(8) }, () => {
      const key = KEYS[below(KEYS.length)]!;
      const cost = random() < 0.7 ? 1 : random() < 0.1 ? Math.min(algorithm.capacity + 1, 2 ** 45) : 1 + below(9);
      const least = random() < 0.2 ? 1 + below(cost) : undefined;
      const demand: Demand = { ledger: quota, key, cost, ...(least !== undefined && { least }) };
      if (!isOdd || random() < 0.6) {
        const demands = random() < 0.7 ? [demand, { ledger: blocks, key, cost: 1 }] : [demand];
        return { demands, mode: 0 as const };
      }
      if (random() < 0.3) return { demands: [{ ledger: blocks, key, cost: below(400_000) }], mode: 2 as const };
      if (random() < 0.5) return { demands: [{ ledger: quota, key, cost: 1 + below(20) }], mode: 2 as const };
      const receipt = receipts[below(receipts.length)]!;
      return { demands: [{ ledger: quota, key, cost: -1 - below(4), receipt }], mode: 0 as const };
    });
    const answers = await Promise.all(calls.map(({ demands, mode }) => store.take(demands, { mode })));
    for (const [i, { demands, mode }] of calls.entries()) {
      const expected = model(demands, mode);
      expect(answers[i], `turn ${turn}: ${JSON.stringify(demands)}`).toEqual(expected);
      if (demands[0]!.ledger === quota && expected[0]!.allowed) receipts.push(expected[0]!.receipt);
    }
  }
}

describe.each(Object.keys(QUOTAS) as (keyof typeof QUOTAS)[])("plain takes from %s", (name) => {
  it("are answered as decide does, whatever else happens to the keys", () =>
    fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => live(seeded(seed), name)),
      { numRuns: 60, endOnFailure: true },
    ));
});

describe("over the time of Redis", () => {
  const limiterOf = (quota: Quota) => {
    const prefix = `p${prefixes++}:`;
    return { prefix, limiter: createLimiter({ quota, store: redisStore({ client, prefix, timeoutMs: 5_000 }) }) };
  };

  it("a key that is charged again and again outlives what it means", async () => {
    const { limiter, prefix } = limiterOf(perPeriod(100, 400));
    for (let i = 0; i < 60; i++) {
      await limiter.consume("k");
      const [name] = await client.keys(`${prefix}*`);
      // What was charged last counts for a period; the key must be there for longer.
      expect(await client.pttl(name!)).toBeGreaterThan(400);
    }
  });

  const MONTH = 30 * 86_400_000;
  it.each([
    ["of the same size", perPeriod(10_000, MONTH, { burst: 9 })],
    ["that grows", perPeriod(9, MONTH)],
  ])("a state %s is written, and the end of its key stays where it is", async (_, quota) => {
    const { limiter, prefix } = limiterOf(quota);
    const first = await limiter.consume("k");
    const [name] = await client.keys(`${prefix}*`);
    await client.pexpire(name!, 20 * 86_400_000);
    for (let left = first.remaining - 1; left >= 0; left--) {
      expect(await limiter.consume("k")).toMatchObject({ allowed: true, remaining: left });
      expect(await limiter.peek("k", 0)).toMatchObject({ remaining: left });
      expect((await client.pttl(name!)) / 86_400_000).toBeCloseTo(20, 2);
    }
    expect(await limiter.consume("k")).toMatchObject({ allowed: false });
  });

  it.each([perPeriod(3, 60_000), perPeriod(3, 60_000, { burst: 3 })])(
    "blocks hold at once, for everybody",
    async (quota) => {
      const { limiter, prefix } = limiterOf(quota);
      const other = createLimiter({ quota, store: redisStore({ client, prefix, timeoutMs: 5_000 }) });
      expect(await other.consume("k")).toMatchObject({ allowed: true, remaining: 2 });
      await limiter.block("k", 60_000);
      expect(await other.consume("k")).toMatchObject({ allowed: false, quota: "block" });
      expect(await other.consume("free")).toMatchObject({ allowed: true });
      await limiter.reset("k");
      expect(await other.consume("k")).toMatchObject({ allowed: true, remaining: 2 });
    },
  );

  it("never takes what a key of another kind holds", async () => {
    const { limiter, prefix } = limiterOf(perPeriod(3, 60_000));
    await limiter.consume("k");
    const [name] = await client.keys(`${prefix}*`);
    await client.del(name!);
    await client.lpush(name!, "somebody's");
    await expect(limiter.consume("k")).rejects.toMatchObject({ code: "STORE_KEY" });
    expect(await client.lrange(name!, 0, -1)).toEqual(["somebody's"]);
  });

  it("looks at costs, and at nothing for a cost of nothing", async () => {
    const { limiter } = limiterOf(perPeriod(5, 60_000));
    const taken = await Promise.all([limiter.consume("k", 3), limiter.consume("k", 3), limiter.consume("k", 0)]);
    expect(taken.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [true, 2],
      [false, 2],
      [true, 2],
    ]);
    expect(await limiter.consume("k", 6)).toMatchObject({ allowed: false, retryAfterMs: Infinity });
  });
});
