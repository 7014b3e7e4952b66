import { expect, it } from "vitest";
import { type Fate, type Life, live, type Plan } from "./life.ts";

const calm: Plan = {
  config: { limit: "20/s" },
  processes: 3,
  seconds: 60,
  burst: 10,
  rate: 4,
  lastMs: 200,
  wayMs: 2,
  lateMs: 60,
};
const faults: Partial<Plan> = { late: 0.05, lost: 0.02, twice: 0.05, stalls: 0.05, longestStallMs: 2_000, leaves: 0.3 };
/** A place whose grant was lost is free again after seconds. */
const few: Partial<Plan> = { config: { limit: "20/s", concurrency: 3 }, rate: 1.5, seconds: 90 };
const TENANTS = { limit: [{ rate: "5/s", per: "tenant" }, "20/s"] } as const;

interface Kind {
  readonly plan: Plan;
  /** Which calls count together, how many of their units, and over which times of theirs. */
  readonly units: number;
  readonly of?: (fate: Fate) => string;
  readonly stamp?: (fate: Fate) => number | undefined;
  /** Calls at once. */
  readonly atOnce?: number;
}

const kinds: Readonly<Record<string, Kind>> = {
  "in calm": { plan: calm, units: 20 },
  "with bad ways, stalls and callers that leave": { plan: { ...calm, ...faults, costs: [1, 2], rate: 3 }, units: 20 },
  "with outages of some": { plan: { ...calm, ...faults, outages: 0.05 }, units: 20 },
  "with kills": { plan: { ...calm, ...faults, kills: 0.05 }, units: 20 },
  "with losses of everything": { plan: { ...calm, ...faults, losses: 0.05 }, units: 20 },
  "with limits of tenants": {
    plan: { ...calm, ...faults, config: TENANTS, tenants: ["x", "y", "z"] },
    units: 5,
    of: ({ tenant }) => `${tenant}`,
  },
  "from the end of calls": {
    plan: { ...calm, ...faults, config: { limit: "20/s", anchor: "end" }, kills: 0.02, rate: 2.5, seconds: 90 },
    units: 20,
    stamp: ({ arrived }) => arrived,
  },
  "with places": {
    plan: { ...calm, ...faults, ...few, kills: 0.02, outages: 0.02 },
    units: 20,
    atOnce: 3,
  },
  "without a queue": { plan: { ...calm, ...faults, hasQueue: false, kills: 0.02, outages: 0.02 }, units: 20 },
  "with places, without a queue": {
    plan: { ...calm, ...faults, ...few, hasQueue: false },
    units: 20,
    atOnce: 3,
  },
};

/** Units above the limit in any second; after a loss of everything as much may start anew. */
function excess({ fates, losses }: Life, { units, of = () => "", stamp = ({ started }) => started }: Kind): number {
  let worst = 0;
  const all = fates.filter((fate) => stamp(fate) !== undefined).sort((a, b) => stamp(a)! - stamp(b)!);
  for (const group of new Set(all.map(of))) {
    const own = all.filter((fate) => of(fate) === group);
    let [first, sum] = [0, 0];
    for (const fate of own) {
      const time = stamp(fate)!;
      sum += fate.cost;
      while (stamp(own[first]!)! <= time - 1000) sum -= own[first++]!.cost;
      const lost = losses.filter((loss) => loss > time - 1000 && loss <= time).length;
      worst = Math.max(worst, sum - units * (1 + lost));
    }
  }
  return worst;
}

function mostAtOnce({ fates }: Life): number {
  const ran = fates.filter(({ started, isGone }) => started !== undefined && !isGone);
  return Math.max(
    0,
    ...ran.map(
      ({ started: time }) => ran.filter(({ started, ended = Infinity }) => started! <= time! && ended > time!).length,
    ),
  );
}

it.each(Object.entries(kinds))(
  "%s nothing is exceeded, nobody is lost, nobody starts twice",
  async (_name, kind) => {
    const { atOnce = Infinity } = kind;
    const seen = new Set<string>();
    const first = Math.floor(Math.random() * 2 ** 31);
    for (let seed = first; seed < first + 4; seed++) {
      const life = await live(kind.plan, seed);
      const lost = life.fates.filter(({ ended, isGone }) => ended === undefined && !isGone).length;
      const twice = life.fates.filter(({ times }) => times > 1).length;
      expect({ excess: excess(life, kind), lost, twice }, `seed ${seed}`).toEqual({ excess: 0, lost: 0, twice: 0 });
      expect(mostAtOnce(life), `seed ${seed}`).toBeLessThanOrEqual(atOnce);
      for (const what of life.seen) seen.add(what);
    }
    const { late, lost, kills, outages, losses } = kind.plan;
    const planned = { late, lost, killed: kills, outage: outages, "lost all": losses };
    for (const [what, chance] of Object.entries(planned)) if (chance) expect(seen).toContain(what);
  },
  60_000,
);
