import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConcurrencyLimiter } from "sluice";
import { afterEach, describe, expect, it } from "vitest";
import { seeded } from "../algorithms/seeded.ts";
import { startRedis } from "../stores/redis/server.ts";
import { mostAtOnce, violations } from "./checker.ts";
import { admissionsIn, type LoggedCall, placesIn } from "./log.ts";
import { openNamed } from "./stores.ts";
import { hammer } from "./supervisor.ts";
import { LINES, type Load, PLACES, subjects } from "./workload.ts";

/** A store under the hammer. */
interface Row {
  /** Starts what it needs. Returns the name by which processes open it, and what ends it. */
  readonly start: (folder: string) => Promise<{ readonly store: string; stop?(): Promise<void> }>;
  readonly load: Load;
  /** See `subjects`. */
  readonly grainMs: number;
  /** The part of a limit that is surely used while more is asked for: the rest may be lost with a share. */
  readonly used: number;
}

const EXACT: Load = { size: 1, stretch: 1 };
/** Shares of some 10 ms: a process that gets no turn on a busy machine for so long loses them. */
const SHARED: Load = { size: 10, stretch: 3 };

const overFile =
  (kind: string): Row["start"] =>
  async (folder) => ({ store: `${kind}=${folder}/limits.db` });
const overRedis =
  (kind: string): Row["start"] =>
  async () => {
    const redis = await startRedis();
    return { store: `${kind}=${redis.url}`, stop: () => redis.stop() };
  };

const rows: Readonly<Record<string, Row>> = {
  // Its time is that of the wall, in milliseconds.
  SQLite: { start: overFile("sqlite"), load: EXACT, grainMs: 1, used: 1 },
  Redis: { start: overRedis("redis"), load: EXACT, grainMs: 0, used: 1 },
  "leases of SQLite": { start: overFile("leased+sqlite"), load: SHARED, grainMs: 1, used: 0.25 },
  "leases of Redis": { start: overRedis("leased+redis"), load: SHARED, grainMs: 0, used: 0.25 },
};

const ended: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

function newFolders() {
  const folder = mkdtempSync(join(tmpdir(), "sluice-processes-"));
  ended.push(() => rmSync(folder, { recursive: true, force: true }));
  const logs = join(folder, "logs");
  mkdirSync(logs);
  return { folder, logs };
}

/** Another one each time, and named when the test fails: give it as SEED to see the same again, as far as time allows. */
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

const ofKey = (calls: readonly LoggedCall[], key: string) => calls.filter((call) => call.key === key);
const sumOf = (calls: readonly { readonly cost: number }[]) => calls.reduce((sum, { cost }) => sum + cost, 0);

const SLOW = { timeout: 120_000 };

async function setUp({ start, load }: Row) {
  const { folder, logs } = newFolders();
  const { store, stop } = await start(folder);
  if (stop !== undefined) ended.push(stop);
  return { store, folder: logs, random: seeded(seed), load };
}

describe(`eight processes, killed and stopped (seed ${seed})`, () => {
  it.each(Object.entries(rows))(
    "over %s pass no more than the limit in any window, then all of it",
    SLOW,
    async (_, row) => {
      const { load, grainMs, used } = row;
      const calmMs = 2_000 * load.stretch;
      const options = await setUp(row);
      const { calls, calm, processes, stops } = await hammer({ ...options, task: "rates", rounds: 24, calmMs });
      expect(calls.filter(({ failed }) => failed !== undefined)).toEqual([]);
      expect(processes).toBeGreaterThan(9);
      expect(stops).toBeGreaterThan(2);
      // Of a process that is killed, at most the calls under way are unknown.
      const unknown = calls.filter(({ completed }) => completed === undefined);
      expect(unknown.length).toBeLessThanOrEqual(processes * LINES);
      expect(calls.some(({ completed, allowed }) => completed !== undefined && !allowed)).toBe(true);
      for (const [subject, { bounds, leastIn }] of Object.entries(subjects(load, grainMs))) {
        for (const key of ["hot", "cold-0", "cold-1"]) {
          const admissions = admissionsIn(ofKey(calls, `${subject}/${key}`));
          expect(violations(admissions, bounds), `${subject}/${key}`).toEqual([]);
        }
        const hot = ofKey(calls, `${subject}/hot`);
        const inCalm = hot.filter(({ completed = 0, invoked }) => completed >= calm.from && invoked <= calm.until);
        // On a machine that is too busy to ask for more than there is, at least a third of what was asked for.
        const enough = used * Math.min(leastIn(calmMs), sumOf(inCalm) / 3);
        expect(sumOf(admissionsIn(inCalm)), `${subject} afterwards`).toBeGreaterThanOrEqual(enough);
      }
    },
  );

  // Leases of a store are not for places: it is asked each time.
  const exact = Object.entries(rows).filter(([, { load }]) => load === EXACT);

  it.each(exact)(
    "over %s hold no more places than there are, and those of the killed come back",
    SLOW,
    async (_, row) => {
      const options = await setUp(row);
      const { calls, processes } = await hammer({ ...options, task: "places", rounds: 16, calmMs: 500 });
      const { limit, leaseMs } = PLACES;
      expect(calls.filter(({ failed }) => failed !== undefined)).toEqual([]);
      expect(processes).toBeGreaterThan(9);
      expect(admissionsIn(calls).length).toBeGreaterThan(100);
      expect(mostAtOnce(placesIn(calls, leaseMs - row.grainMs)).weight).toBe(limit);
      const store = await openNamed(options.store);
      ended.push(() => store.close?.());
      const places = createConcurrencyLimiter({ ...PLACES, store });
      const leases = await Promise.all(Array.from({ length: limit }, () => places.wait("hot", { maxWaitMs: 10_000 })));
      expect(leases.map(({ decision }) => decision.allowed)).toEqual(new Array(limit).fill(true));
    },
  );
});

it("finds a store out that reads, thinks and writes", SLOW, async () => {
  const random = seeded(seed);
  const { bounds } = subjects(EXACT, 1).sliding!;
  // Where the machine is busy, each process may have it for itself for as long as it thinks.
  for (let found: readonly string[] = []; found.length === 0; ) {
    const { folder, logs } = newFolders();
    const store = `careless=${folder}/limits.db`;
    const options = { task: "rates", store, folder: logs, random, load: EXACT, rounds: 5, calmMs: 1_000 } as const;
    const { calls } = await hammer(options);
    found = violations(admissionsIn(ofKey(calls, "sliding/hot")), bounds);
  }
});
