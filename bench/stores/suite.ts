import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createLimiter, perMinute, type Quota } from "sluice";
import { redisStore } from "sluice/redis";
import { manualClock } from "sluice/testing";
import { type RedisServer, startRedis } from "../../packages/sluice/test/stores/redis/server.ts";
import { median, medianRatio } from "../statistics.ts";
import { startWorker, type Worker } from "../worker.ts";
import type { ContenderName, Place, Rate } from "./contenders.ts";
import type { Question, Setup, Work } from "./store-process.ts";

/** Of one contender in one scene. */
export interface CheckFigures {
  readonly perSecond: number;
  /** CPU time of the process with the client, per check. */
  readonly cpuUs: number;
  /** Checks per second and CPU time, × those of the first contender of the scene, turn by turn. */
  readonly speed: number;
  readonly cpu: number;
}

export interface OverloadFigures {
  /** Of the limit, over one whole period. */
  readonly usedShare: number;
  readonly callsPerCheck: number;
}

export interface SharedFileFigures {
  /** Of all processes together. */
  readonly perSecond: number;
  readonly stallMs: number;
}

export interface StoreResults {
  readonly checks: Record<string, Partial<Record<ContenderName, CheckFigures>>>;
  readonly overload: OverloadFigures;
  readonly file: Record<"plain" | "leased" | "idle", SharedFileFigures>;
  /** Bytes in Redis per key, its name included. */
  readonly bytes: Record<"token bucket" | "sliding window of 60" | "sliding window of 10000", number>;
}

/** Never reached: everybody allows. */
const ENDLESS: Rate = { limit: 3_600_000_000, periodMs: 3_600_000 };
const KEYS = 10_000;

const SCENES = {
  "1 at a time": { inFlight: 1, keys: KEYS, names: ["rate-limiter-flexible", "sluice, exact"] },
  "50 at a time": { inFlight: 50, keys: KEYS, names: ["rate-limiter-flexible", "sluice, exact", "sluice, leased"] },
  "500 at a time": { inFlight: 500, keys: KEYS, names: ["rate-limiter-flexible", "sluice, exact", "sluice, leased"] },
  "50 at a time, one hot key": {
    inFlight: 50,
    keys: 1,
    names: ["rate-limiter-flexible", "sluice, exact", "sluice, leased"],
  },
} as const satisfies Record<string, { inFlight: number; keys: number; names: readonly ContenderName[] }>;

const WARM_UP_MS = 3_000;
/** As long as a lease: what is over when a turn begins, because others had theirs, is asked for once per turn as once per lease. */
const TURN_MS = 1_000;
const TURNS = 7;

/** Limits over Redis and over SQLite: speed, memory, what leases use of a limit. */
export async function stores(rounds: number): Promise<StoreResults> {
  const redis = await startRedis();
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const place = { redisUrl: redis.url, sqlitePath: join(folder, "limits.db") };
  try {
    const bytes = await bytesPerKey(redis);
    const checks: StoreResults["checks"] = {};
    for (const name of Object.keys(SCENES) as (keyof typeof SCENES)[]) checks[name] = await scene(name, rounds, place);
    const file = await sharedFile(place);
    return { checks, file, overload: await overload(place), bytes };
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true });
  }
}

const start = (setup: Setup): Promise<Worker> =>
  startWorker(new URL("store-process.ts", import.meta.url), [JSON.stringify(setup)]);

async function scene(
  title: keyof typeof SCENES,
  rounds: number,
  place: Place,
): Promise<Partial<Record<ContenderName, CheckFigures>>> {
  const { inFlight, keys, names } = SCENES[title];
  const all: Map<ContenderName, CheckFigures>[] = [];
  for (let i = 0; i < rounds; i++) all.push(await round(names, inFlight, keys, place));
  return Object.fromEntries(
    names.map((name) => {
      const middle = (of: keyof CheckFigures) => median(all.map((one) => one.get(name)![of]));
      const figures = {
        perSecond: middle("perSecond"),
        cpuUs: middle("cpuUs"),
        speed: middle("speed"),
        cpu: middle("cpu"),
      };
      console.error(
        `${title}: ${name}: ${Math.round(figures.perSecond)}/s, ${figures.cpuUs.toFixed(2)} µs, ${figures.speed.toFixed(2)} × speed, ${figures.cpu.toFixed(2)} × CPU`,
      );
      return [name, figures];
    }),
  );
}

/** Fresh processes for all, which then take turns. */
async function round(
  names: readonly ContenderName[],
  inFlight: number,
  keys: number,
  place: Place,
): Promise<Map<ContenderName, CheckFigures>> {
  const workers = new Map<ContenderName, Worker>();
  try {
    for (const name of names) workers.set(name, await start({ name, rate: ENDLESS, place, keys }));
    const turns = new Map(names.map((name) => [name, [] as Work[]]));
    for (const worker of workers.values()) await worker.ask({ kind: "flat out", inFlight, forMs: WARM_UP_MS });
    for (let turn = 0; turn < TURNS; turn++) {
      for (let i = 0; i < names.length; i++) {
        const name = names[(i + turn) % names.length]!;
        const work = await workers.get(name)!.ask<Work>({ kind: "flat out", inFlight, forMs: TURN_MS });
        if (work.allowed !== work.checks) throw new Error(`${name} refused ${work.checks - work.allowed} checks.`);
        turns.get(name)!.push(work);
      }
    }
    const perSecond = (name: ContenderName) => turns.get(name)!.map(({ checks, ms }) => (checks / ms) * 1000);
    const cpuUs = (name: ContenderName) => turns.get(name)!.map((work) => work.cpuUs / work.checks);
    return new Map(
      names.map((name) => [
        name,
        {
          perSecond: median(perSecond(name)),
          cpuUs: median(cpuUs(name)),
          speed: medianRatio(perSecond(name), perSecond(names[0]!)),
          cpu: medianRatio(cpuUs(name), cpuUs(names[0]!)),
        },
      ]),
    );
  } finally {
    for (const worker of workers.values()) worker.end();
  }
}

const MACHINES = 4;
const MINUTE: Rate = { limit: 60_000, periodMs: 60_000 };

/** Four processes ask for what one limit allows, and after a minute for three times that: this second minute is measured. */
async function overload(place: Place): Promise<OverloadFigures> {
  const works = await together(
    { name: "sluice, leased", rate: MINUTE, place, keys: 1 },
    { kind: "paced", perSecond: 3_000 / MACHINES, measureAfterMs: 65_000, forMs: 125_000 },
  );
  const sum = (of: "checks" | "allowed" | "calls") => works.reduce((total, work) => total + work[of], 0);
  const usedShare = sum("allowed") / MINUTE.limit;
  const callsPerCheck = sum("calls") / sum("checks");
  console.error(`overload: ${(usedShare * 100).toFixed(2)} % used, ${callsPerCheck.toFixed(4)} calls per check`);
  return { usedShare, callsPerCheck };
}

/** Four processes on one file. */
async function sharedFile(place: Place): Promise<StoreResults["file"]> {
  const run = async (name: ContenderName, question: Question): Promise<SharedFileFigures> => {
    const works = await together({ name, rate: ENDLESS, place, keys: 100 }, question, { ...question, forMs: 1_500 });
    const figures = {
      perSecond: works.reduce((sum, { checks, ms }) => sum + (checks / ms) * 1000, 0),
      stallMs: Math.max(...works.map(({ stallMs }) => stallMs)),
    };
    console.error(`${name}: ${Math.round(figures.perSecond)}/s, stalls of ${figures.stallMs.toFixed(1)} ms at p99.9`);
    return figures;
  };
  const flatOut = { kind: "flat out", inFlight: 20, forMs: 4_000 } as const;
  return {
    idle: await run("sluice, SQLite", { kind: "paced", perSecond: 100, measureAfterMs: 500, forMs: 4_500 }),
    plain: await run("sluice, SQLite", flatOut),
    leased: await run("sluice, SQLite, leased", flatOut),
  };
}

async function together(setup: Setup, question: Question, warmUp?: Question): Promise<readonly Work[]> {
  const workers = await Promise.all(Array.from({ length: MACHINES }, () => start(setup)));
  try {
    if (warmUp !== undefined) await Promise.all(workers.map((worker) => worker.ask<Work>(warmUp)));
    return await Promise.all(workers.map((worker) => worker.ask<Work>(question)));
  } finally {
    for (const worker of workers) worker.end();
  }
}

/** What Redis says that a key takes when it has been used as far as it goes. */
async function bytesPerKey({ url }: RedisServer): Promise<StoreResults["bytes"]> {
  const client = new Redis(url, { autoResendUnfulfilledCommands: false });
  const measure = async (quota: Quota, units: number) => {
    // Spread over the period, so that a window remembers as much as it ever does.
    const clock = manualClock({ wall: new Date() });
    const store = redisStore({ client, timeoutMs: 2_000, clock });
    const limiter = createLimiter({ quota, store });
    const before = new Set(await client.keys("*"));
    for (let i = 0; i < units; i++) {
      await limiter.consume("client:123456");
      clock.advanceSync(quota.periodMs / units);
    }
    const [name] = (await client.keys("*")).filter((one) => !before.has(one));
    return Number(await client.call("MEMORY", "USAGE", name!, "SAMPLES", "0"));
  };
  try {
    return {
      "token bucket": await measure(perMinute(600, { name: "bucket", burst: 600 }), 300),
      "sliding window of 60": await measure(perMinute(60, { name: "small" }), 60),
      "sliding window of 10000": await measure(perMinute(10_000, { name: "large" }), 10_000),
    };
  } finally {
    client.disconnect();
  }
}
