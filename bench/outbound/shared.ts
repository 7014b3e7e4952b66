import { Redis } from "ioredis";
import { idealMs, worstWindow } from "../../packages/sluice/test/outbound/oracle/windows.ts";
import { startRedis } from "../../packages/sluice/test/stores/redis/server.ts";
import { startWorker } from "../worker.ts";
import type { Made, Question } from "./shared-process.ts";
import { SHARED_RATE, type SharingName, sharing } from "./sharing.ts";

export interface SharedFigures {
  /** The most that started within one period, in all processes together. */
  readonly starts: number;
  /** From the first call to the last start, × the shortest that the limit allows. */
  readonly toIdeal: number;
  /** Scripts that Redis ran per call. */
  readonly scriptsPerCall: number;
}

export type SharedResults = Record<SceneName, Record<SharingName, SharedFigures>>;

const PROCESSES = 8;
const SCENES = {
  "all at once": { calls: 50, pauseMs: 0 },
  "one by one": { calls: 50, pauseMs: 5 },
} as const satisfies Record<string, Question>;

type SceneName = keyof typeof SCENES;

/** Eight processes share one limit over Redis. */
export async function shared(): Promise<SharedResults> {
  const results = {} as Record<SceneName, Record<SharingName, SharedFigures>>;
  for (const scene of Object.keys(SCENES) as SceneName[]) {
    results[scene] = {} as Record<SharingName, SharedFigures>;
    for (const name of Object.keys(sharing) as SharingName[]) {
      const figures = await together(name, SCENES[scene]);
      results[scene][name] = figures;
      console.error(
        `${PROCESSES} processes, ${scene}: ${name}: ${figures.starts} in a period, ${figures.toIdeal.toFixed(3)} × ideal, ${figures.scriptsPerCall.toFixed(2)} scripts per call`,
      );
    }
  }
  return results;
}

async function together(name: SharingName, question: Question): Promise<SharedFigures> {
  const redis = await startRedis();
  const client = new Redis(redis.url);
  const script = new URL("shared-process.ts", import.meta.url);
  const workers = await Promise.all(Array.from({ length: PROCESSES }, () => startWorker(script, [name, redis.url])));
  try {
    const before = await scripts(client);
    const answers = await Promise.all(workers.map((worker) => worker.ask<Made>(question)));
    const starts = answers.flatMap(({ startsMs }) => startsMs);
    const came = Math.min(...answers.map(({ cameMs }) => cameMs));
    const { limit, periodMs } = SHARED_RATE;
    return {
      starts: worstWindow(starts, periodMs),
      toIdeal: (Math.max(...starts) - came) / idealMs(starts.length, limit, periodMs),
      scriptsPerCall: ((await scripts(client)) - before) / starts.length,
    };
  } finally {
    for (const worker of workers) worker.end();
    client.disconnect();
    await redis.stop();
  }
}

/** How many scripts Redis has run. */
async function scripts(client: Redis): Promise<number> {
  const counts = (await client.info("commandstats")).matchAll(/^cmdstat_(?:eval|evalsha|fcall):calls=(\d+)/gm);
  return [...counts].reduce((sum, [, calls]) => sum + Number(calls), 0);
}
