import { afterEach, expect, it } from "vitest";
import { crew, endAll, mostAtOnce, newStore, type Worker } from "./crew.ts";

/** So long places are kept for a process that is not heard of: for those that it had, and for those that it waited for. */
const PLACE_LEASE_MS = 15_000;
const PLACES = 3;

afterEach(endAll);

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const callsAfter = (worker: Worker, time: number) => worker.made().filter(({ start }) => start > time);

async function withOneKilled(kind: "SQLite" | "Redis") {
  const { name } = await newStore(kind);
  const orders = { calls: 10_000, gapMs: 40, lastMs: 80, upstream: { concurrency: PLACES } };
  const workers = await crew(4, name, orders);
  const [victim, ...others] = workers as [Worker, ...Worker[]];
  for (let count = 20; count === 20 || victim.made().at(-1)!.end !== undefined; count++) await victim.started(count);
  // It is in the middle of a call.
  await victim.kill();
  const killedAt = nowMs();
  const back = killedAt + PLACE_LEASE_MS + 1_000;
  for (const worker of others) {
    while (callsAfter(worker, back).length < 10) await worker.started(worker.made().length + 1);
  }
  const later = others.map((worker) => ({ ...worker, made: () => callsAfter(worker, back) }));
  return { most: mostAtOnce(workers), mostLater: mostAtOnce(later) };
}

it("places of calls over SQLite and Redis are never more than there are, and come back from the killed", {
  timeout: 60_000,
}, async () => {
  const kinds = ["SQLite", "Redis"] as const;
  for (const found of await Promise.all(kinds.map(withOneKilled))) {
    expect(found).toEqual({ most: PLACES, mostLater: PLACES });
  }
});
