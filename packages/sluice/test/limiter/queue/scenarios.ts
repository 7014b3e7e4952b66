import { longestGap, timeTaken, wrongIn } from "./judges.ts";
import { type Life, live, type Plan } from "./life.ts";

export interface Scenario {
  readonly name: string;
  readonly plan: Plan;
  readonly lives: number;
  /** What must have happened in some of them. */
  readonly sees: readonly string[];
  /** What is wrong with a life of this kind, beside what is wrong with any. */
  readonly judge?: (life: Life) => string | undefined;
}

const base: Plan = {
  owners: 4,
  seconds: 12,
  limit: 8,
  periodMs: 1000,
  graceMs: 50,
  lanes: ["~a~x", "~a~y", "~b~x"],
  costs: [1, 1, 2],
  rate: 0.6,
  burst: 4,
  lastMs: 200,
  heartbeatMs: 300,
  ownerLifeMs: 1200,
  offsetsMs: [0, -300, 300],
};

const atMost = (name: string, found: number, bound: number): string | undefined =>
  found <= bound ? undefined : `${name}: ${found}, and not at most ${bound}`;

/** Nobody asks for so long at most, in heartbeats: whoever waits asks at least so often, and an answer may be late. */
const heartbeats =
  (count: number) =>
  ({ longestLapse, plan: { heartbeatMs } }: Life): string | undefined =>
    atMost("somebody asks", longestLapse, (count * heartbeatMs + 500) * 1000);

export const scenarios: readonly Scenario[] = [
  {
    name: "a calm network, and heartbeats that come too late to help",
    plan: { ...base, heartbeatMs: 60_000, ownerLifeMs: 240_000 },
    lives: 300,
    sees: [],
    judge: (life) =>
      atMost("a gap", longestGap(life), (1_000 + 50 + 10) * 1000) ??
      atMost("lanes in turn", life.line.unfairness, 4) ??
      atMost("idle lanes", life.line.idleLanes, 3),
  },
  {
    name: "a queue that is always full is served as fast as the limit and the grace allow",
    plan: {
      ...base,
      rate: 0,
      burst: 24,
      costs: [1],
      limit: 10,
      seconds: 20,
      heartbeatMs: 60_000,
      ownerLifeMs: 240_000,
    },
    lives: 100,
    sees: [],
    judge: (life) => atMost("time", timeTaken(life), (96 / 10) * 1_050_000 + 100_000),
  },
  {
    name: "messages are lost, late, and come twice",
    plan: { ...base, seconds: 16, lost: 0.06, late: 0.1, twice: 0.15 },
    lives: 300,
    sees: ["lost", "late", "twice"],
    judge: heartbeats(2),
  },
  {
    name: "processes are killed, and stopped for longer than they are thought to live",
    plan: { ...base, seconds: 24, kills: 0.1, stalls: 0.2, longestStallMs: 2_500, cancels: 0.3 },
    lives: 300,
    sees: ["killed", "stalled", "cancelled"],
    judge: (life) => heartbeats(2)(life) ?? atMost("a gap", longestGap(life), (1_200 + 3 * 1_050 + 600) * 1000),
  },
  {
    name: "places, given back and held on",
    plan: { ...base, places: 3, groupPlaces: 2, seconds: 16, lost: 0.03, twice: 0.1, late: 0.05, stalls: 0.1 },
    lives: 200,
    sees: ["lost", "stalled"],
  },
  {
    name: "grants are lost, and their places are not",
    plan: { ...base, places: 3, placeMs: 60_000, seconds: 20, lost: 0.05 },
    lives: 100,
    sees: ["lost"],
  },
  {
    name: "places of calls that run for longer than a place is lent",
    plan: { ...base, places: 3, rate: 0.05, burst: 2, lastMs: 9_000, seconds: 80 },
    lives: 60,
    sees: [],
  },
  {
    name: "places of groups are given back, and others go on at once",
    plan: { ...base, groupPlaces: 1, seconds: 20, heartbeatMs: 60_000, ownerLifeMs: 240_000, lastMs: 100, limit: 20 },
    lives: 200,
    sees: [],
    judge: (life) => atMost("a gap", longestGap(life), (1_050 + 110) * 1000),
  },
  {
    name: "places that are free only some time after the end",
    plan: { ...base, places: 6, afterEndMs: 500, seconds: 20, lost: 0.02, late: 0.02 },
    lives: 200,
    sees: ["lost", "late"],
  },
  {
    name: "the queue is lost, and all say again what they wait for",
    plan: { ...base, groupLimit: 6, places: 6, seconds: 20, lostQueues: 0.4, lost: 0.02 },
    lives: 200,
    sees: ["lost queue"],
    judge: heartbeats(2),
  },
  {
    name: "everything is lost: once the limit more",
    plan: { ...base, seconds: 20, lostAll: 0.2, lost: 0.02 },
    lives: 200,
    sees: ["lost all"],
  },
  {
    name: "the clock of the store is set back",
    plan: { ...base, seconds: 24, clockSteps: [-40, -700, -60_000] },
    lives: 200,
    sees: ["clock step"],
    judge: (life) =>
      heartbeats(2)(life) ?? atMost("a gap", longestGap(life), (2 + (life.seen["clock step"] ?? 0)) * 1_100_000),
  },
  {
    name: "the clock of the store is set forward: once the limit more",
    plan: { ...base, seconds: 24, clockSteps: [40, 700, 60_000] },
    lives: 200,
    sees: ["clock step"],
    judge: heartbeats(2),
  },
  {
    name: "all of it, with limits of groups, pauses and cuts",
    plan: {
      ...base,
      seconds: 26,
      groupLimit: 5,
      groupPlaces: 3,
      places: 5,
      lost: 0.04,
      late: 0.04,
      twice: 0.1,
      kills: 0.05,
      stalls: 0.1,
      cancels: 0.3,
      lostQueues: 0.1,
      pauses: 0.15,
      cuts: 0.15,
    },
    lives: 200,
    sees: ["killed", "stalled", "cancelled", "lost queue", "paused", "cut", "twice"],
  },
];

/** Lives a life, and says what was wrong with it. */
export async function judged({ plan, judge }: Scenario, seed: number) {
  const life = await live(plan, seed);
  return { wrong: wrongIn(life) ?? judge?.(life), seen: life.seen };
}
