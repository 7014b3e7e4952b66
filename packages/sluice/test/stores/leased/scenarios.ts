import type { Library } from "./bench-top.ts";
import { type Admission, mostInAnyWindow, mostOverBucket } from "./checkers.ts";
import { type Run, simulate } from "./simulation.ts";
import type { Faults } from "./world.ts";

/** A world that is bad in its own way, and what has to be true of it all the same. */
export interface Scenario {
  readonly name: string;
  readonly seeds: number;
  /** Kinds of faults that some run has to have seen. */
  readonly faults: readonly (keyof Faults)[];
  /** What is wrong; undefined when nothing is. */
  check(library: Library, seed: number): Promise<{ readonly wrong: string | undefined; readonly faults: Faults }>;
}

const BAD = { delay: 8_000, lostRequest: 0.02, lostReply: 0.03, twice: 0.03, late: 0.05 };
const NETWORK = ["lostRequest", "lostReply", "twice", "late"] as const;
const TROUBLE = ["pause", "sleep", "crash"] as const;

/** A hot spot that moves on every four seconds. */
const moving = (process: number, ms: number) => (Math.floor(ms / 4000) % 5 === process ? 0.8 : 0.05);
/** Bunches of calls with a quiet spell in between that is nearly a lease long: units are used at the last moment. */
const inBunches = (process: number, ms: number) => (Math.floor(ms / 11 + process * 2) % 6 === 0 ? 2 : 0);

const unitsOf = (admissions: readonly Admission[], from = 0, to = Infinity) =>
  admissions.reduce((sum, one) => (one.from >= from && one.to < to ? sum + one.cost : sum), 0);

/** What is true of every run: nothing is lost or made out of nothing, and no store is suspected that did nothing. */
function common({ stats, faults, stateLosses, errors }: Run): string | undefined {
  for (const one of stats) {
    if (one.granted !== one.used + one.returned + one.expired + one.held)
      return `not conserved: ${JSON.stringify(one)}`;
    if (one.held < 0 || one.used < 0) return `less than nothing: ${JSON.stringify(one)}`;
  }
  if (faults.flush === 0 && stateLosses > 0) return `${stateLosses} losses of state were found, and there was none`;
  if (faults.lostReply + faults.lostRequest === 0 && errors > 0) return `${errors} calls failed for no reason`;
  return undefined;
}

const scenario = (
  name: string,
  { seeds, faults }: Pick<Scenario, "seeds" | "faults">,
  run: (library: Library, seed: number) => Promise<Run>,
  wrongWith: (run: Run) => string | false,
): Scenario => ({
  name,
  seeds,
  faults,
  async check(library, seed) {
    const found = await run(library, seed);
    return { wrong: common(found) ?? (wrongWith(found) || undefined), faults: found.faults };
  },
});

const above = (found: number, bound: number, what: string) =>
  found > bound && `${found} ${what}, and ${bound} is the bound`;
const below = (found: number, bound: number, what: string) =>
  found < bound && `${found} ${what}, and ${bound} is the least`;

export const scenarios: readonly Scenario[] = [
  scenario(
    "a sliding window, with faults of all kinds",
    { seeds: 5, faults: [...NETWORK, ...TROUBLE] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perPeriod }) => perPeriod(3_000, 10_000),
        processes: 5,
        forMs: 40_000,
        rate: 900,
        weather: BAD,
        trouble: 0.3,
        costs: [1, 1, 2, 5],
        settled: 0.1,
        share: moving,
      }),
    ({ admissions }) =>
      above(mostInAnyWindow(admissions, 10_000_000), 3_000, "units in 10 s") ||
      // How much the faults cost varies: one life in some hundreds loses 16 %.
      below(unitsOf(admissions), 0.82 * 12_000, "units in 40 s"),
  ),
  scenario(
    "a sliding window, with calls in bunches and answers that come late",
    { seeds: 6, faults: ["late", "pause"] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perPeriod }) => perPeriod(1_000, 5_000),
        processes: 3,
        forMs: 26_000,
        rate: 900,
        weather: { delay: 6_000, late: 0.1 },
        trouble: 0.1,
        share: inBunches,
      }),
    ({ admissions }) => above(mostInAnyWindow(admissions, 5_000_000), 1_000, "units in 5 s"),
  ),
  scenario(
    "a bucket, with faults of all kinds and quiet spells",
    { seeds: 6, faults: [...NETWORK, ...TROUBLE] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perPeriod }) => perPeriod(300, 1_000, { burst: 1_000 }),
        processes: 5,
        forMs: 30_000,
        rate: 900,
        weather: BAD,
        trouble: 0.3,
        costs: [1, 1, 2, 5],
        share: (process, ms) => (ms % 6_000 < 3_000 ? 0 : moving(process, ms)),
      }),
    ({ admissions }) =>
      above(Math.round(1_000 + mostOverBucket(admissions, 1_000, 300 / 1e6)), 1_000, "units of burst") ||
      below(unitsOf(admissions), 0.75 * 10_000, "units in 30 s"),
  ),
  scenario(
    "the end of an hour of the calendar, with faults of all kinds",
    { seeds: 3, faults: [...NETWORK, ...TROUBLE] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perHour }) => perHour(4_000, { timeZone: "UTC" }),
        processes: 5,
        forMs: 620_000,
        rate: 40,
        weather: BAD,
        trouble: 0.03,
        settled: 0.05,
        share: (_, ms) => (ms > 480_000 ? 0.2 : 0.02),
      }),
    ({ admissions }) =>
      above(unitsOf(admissions, 0, 600_000_000), 4_000, "units in the first hour") ||
      above(unitsOf(admissions, 600_000_000), 4_000, "units in the second hour") ||
      below(unitsOf(admissions), 4_000, "units in all"),
  ),
  scenario(
    "several quotas at once, with faults of all kinds",
    { seeds: 4, faults: [...NETWORK, ...TROUBLE] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perPeriod }) => [
          perPeriod(1_500, 5_000),
          perPeriod(400, 1_000, { burst: 900 }),
          perPeriod(1_200, 4_000),
        ],
        processes: 5,
        forMs: 20_000,
        rate: 900,
        weather: BAD,
        trouble: 0.3,
        costs: [1, 3],
      }),
    ({ admissions }) =>
      above(mostInAnyWindow(admissions, 5_000_000), 1_500, "units in 5 s") ||
      above(mostInAnyWindow(admissions, 4_000_000), 1_200, "units in 4 s") ||
      above(Math.round(900 + mostOverBucket(admissions, 900, 400 / 1e6)), 900, "units of burst"),
  ),
  scenario(
    "a store that loses its state once: what it held may be used again, but processes tell it in time",
    { seeds: 6, faults: ["flush"] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perPeriod }) => perPeriod(3_000, 10_000),
        processes: 5,
        forMs: 40_000,
        rate: 900,
        flushesMs: [14_000 + (seed % 7) * 1_700],
      }),
    ({ admissions, stateLosses }) =>
      above(mostInAnyWindow(admissions, 10_000_000), 3_060, "units in 10 s") ||
      below(stateLosses, 1, "losses of state were found"),
  ),
  scenario(
    "60,000 a minute, asked for three times as much by eight processes",
    { seeds: 1, faults: [] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perMinute }) => perMinute(60_000),
        processes: 8,
        forMs: 120_000,
        rate: 3_000,
      }),
    ({ admissions, storeCalls, checks }) =>
      above(mostInAnyWindow(admissions, 60_000_000), 60_000, "units in a minute") ||
      below(unitsOf(admissions), 0.99 * 120_000, "units in two minutes") ||
      above(storeCalls / checks, 0.01, "calls of the store per check"),
  ),
  scenario(
    "a process that is alone and asks for a little more than there is",
    { seeds: 1, faults: [] },
    (library, seed) =>
      simulate(library, {
        seed,
        quota: ({ perMinute }) => perMinute(6_000),
        processes: 1,
        forMs: 360_000,
        rate: 110,
      }),
    ({ admissions }) =>
      above(mostInAnyWindow(admissions, 60_000_000), 6_000, "units in a minute") ||
      below(unitsOf(admissions, 60_000_000), 0.98 * 30_000, "units in five minutes"),
  ),
];
