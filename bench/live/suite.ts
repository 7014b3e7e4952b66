import { median, medianRatio } from "../statistics.ts";
import { startWorker } from "../worker.ts";
import type { Turn } from "./live-process.ts";

/** What a live page that looks costs a gateway. */
export interface LiveResults {
  /** CPU time per decision in microseconds, as fast as they can be made: nobody looks, and a page looks. */
  readonly alone: number;
  readonly watched: number;
  /** Of each turn, × the turn before in which nobody looked. */
  readonly ratio: number;
  /** Decisions per second of the turns in which a page looked. */
  readonly perSecond: number;
  /** Decisions that the page heard of, per second. */
  readonly heardPerSecond: number;
  /** CPU time per second in milliseconds at ten thousand decisions per second. */
  readonly paced: { readonly alone: number; readonly watched: number };
}

const TURN_MS = 2_000;
const TURNS = 9;

export async function live(): Promise<LiveResults> {
  const gate = await startWorker(new URL("live-process.ts", import.meta.url), []);
  const page = await startWorker(new URL("page-process.ts", import.meta.url), [String(await gate.ask<number>("port"))]);
  const fast = { alone: [] as Turn[], watched: [] as Turn[] };
  const paced = { alone: [] as Turn[], watched: [] as Turn[] };
  let heard = 0;
  try {
    const turn = (isPaced: boolean) => gate.ask<Turn>({ ms: TURN_MS, isPaced });
    const turns = async (isPaced: boolean, into: typeof fast) => {
      into.alone.push(await turn(isPaced));
      await page.ask("connect");
      into.watched.push(await turn(isPaced));
      return page.ask<number>("leave");
    };
    await turn(false);
    for (let i = 0; i < TURNS; i++) {
      heard += await turns(false, fast);
      await turns(true, paced);
    }
  } finally {
    gate.end();
    page.end();
  }
  const us = (all: readonly Turn[]) => all.map(({ cpuUs, decisions }) => cpuUs / decisions);
  const msPerSecond = (all: readonly Turn[]) => median(all.map(({ cpuUs, wallMs }) => cpuUs / wallMs));
  const results = {
    alone: median(us(fast.alone)),
    watched: median(us(fast.watched)),
    ratio: medianRatio(us(fast.watched), us(fast.alone)),
    perSecond: median(fast.watched.map(({ decisions, wallMs }) => (1_000 * decisions) / wallMs)),
    heardPerSecond: (1_000 * heard) / (TURNS * TURN_MS),
    paced: { alone: msPerSecond(paced.alone), watched: msPerSecond(paced.watched) },
  };
  console.error(JSON.stringify(results, undefined, 2));
  return results;
}
