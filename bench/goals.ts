import type { DecisionResults } from "./decisions/suite.ts";
import { gatewayGoals } from "./gateway/goals.ts";
import type { GatewayResults } from "./gateway/suite.ts";
import type { HeapResults } from "./heap/suite.ts";
import type { HttpResults } from "./http/suite.ts";
import { liveGoals } from "./live/goals.ts";
import type { LiveResults } from "./live/suite.ts";
import { observerGoals } from "./observers/goals.ts";
import type { ObserverResults } from "./observers/suite.ts";
import { outboundGoals } from "./outbound/goals.ts";
import type { OutboundResults } from "./outbound/suite.ts";
import { simulateGoals } from "./simulate/goals.ts";
import type { SimulateResults } from "./simulate/suite.ts";
import type { StoreResults } from "./stores/suite.ts";

/** What all parts found. */
export interface Figures {
  readonly decisions: DecisionResults;
  /** @default nobody has looked yet */
  readonly gateway?: GatewayResults | undefined;
  readonly heap: HeapResults;
  readonly http: HttpResults;
  /** @default nobody has looked yet */
  readonly live?: LiveResults | undefined;
  /** @default nobody has looked yet */
  readonly observers?: ObserverResults | undefined;
  /** @default nobody has looked yet */
  readonly outbound?: OutboundResults | undefined;
  /** @default nobody has looked yet */
  readonly simulate?: SimulateResults | undefined;
  readonly stores: StoreResults;
}

/** Something that is to be true of the figures: at most `bound`. */
export interface Goal {
  readonly what: string;
  readonly found: number;
  readonly bound: number;
}

/** Two medians of the same thing differ by so much on a shared machine. */
const NOISE = 1.05;

/** The goal is 2.5 µs where a bare server takes 12.6 µs per request; as a ratio it holds on slower machines too. */
const ADDED_TO_BARE = 2.5 / 12.6;

export const isMet = ({ found, bound }: Goal): boolean => found <= bound;

export function goals({
  decisions,
  gateway,
  heap,
  http,
  live,
  observers,
  outbound,
  simulate,
  stores,
}: Figures): readonly Goal[] {
  return [
    ...decisionGoals(decisions),
    ...heapGoals(heap),
    ...httpGoals(http),
    ...storeGoals(stores),
    ...(outbound ? outboundGoals(outbound) : []),
    ...(gateway ? gatewayGoals(gateway) : []),
    ...(live ? liveGoals(live) : []),
    ...(simulate ? simulateGoals(simulate) : []),
    ...(observers ? observerGoals(observers) : []),
  ];
}

function decisionGoals(results: DecisionResults): readonly Goal[] {
  return Object.entries(results).flatMap(([scene, contenders]) => {
    const ratio = (name: keyof typeof contenders, outcome: "allowed" | "refused") =>
      contenders[name]?.[outcome]?.ratio ?? Number.NaN;
    const bucket = "sluice, token bucket";
    const window = "sluice, sliding window";
    const goal = (what: string, found: number, bound: number): Goal => ({ what: `${scene}: ${what}`, found, bound });
    const faster = (name: keyof typeof contenders, outcome: "allowed" | "refused") =>
      ratio(bucket, outcome) / ratio(name, outcome);
    return [
      goal("token bucket, × bare GCRA", ratio(bucket, "allowed"), 1.5),
      goal("sliding window, × bare GCRA", ratio(window, "allowed"), 2.5),
      goal("token bucket, a refusal × an allowance", contenders[bucket]?.refused?.toAllowed ?? Number.NaN, NOISE),
      goal("token bucket, allowed × rate-limiter-flexible", faster("rate-limiter-flexible", "allowed"), 1 / 3),
      goal("token bucket, refused × rate-limiter-flexible", faster("rate-limiter-flexible", "refused"), 1 / 3),
      goal("token bucket, allowed × express-rate-limit's store", faster("express-rate-limit, store", "allowed"), 1),
    ];
  });
}

function heapGoals(results: HeapResults): readonly Goal[] {
  const { perKey = Number.NaN, perCheck = Number.NaN, flood = [] } = results["sluice, token bucket"] ?? {};
  const [some = Number.NaN, all = Number.NaN] = flood;
  return [
    { what: "bytes per live key", found: perKey, bound: 80 },
    { what: "bytes allocated per check", found: perCheck, bound: 96 },
    { what: "heap after 10 M keys × after 1 M keys", found: all / some, bound: NOISE },
  ];
}

function httpGoals(results: HttpResults): readonly Goal[] {
  return Object.entries(results).flatMap(([host, variants]) => {
    const added = (variant: keyof typeof variants) => variants[variant]?.added ?? Number.NaN;
    const refusing = (variants["sluice, refused"]?.us ?? Number.NaN) / (variants["sluice, allowed"]?.us ?? Number.NaN);
    const goal = (what: string, found: number, bound: number): Goal => ({ what: `${host}: ${what}`, found, bound });
    const shared = goal("a refused request × a served one", refusing, NOISE);
    if (variants["peer, allowed"] === undefined) {
      const bare = variants.bare?.us ?? Number.NaN;
      return [goal("added, allowed × a bare server's request", added("sluice, allowed") / bare, ADDED_TO_BARE), shared];
    }
    return [
      goal("added, allowed × the neighbour's", added("sluice, allowed") / added("peer, allowed"), 0.9),
      goal("added, refused × the neighbour's", addedWhenRefused(added("sluice, refused"), added("peer, refused")), 0.6),
      shared,
    ];
  });
}

/** A refusal that is cheaper than serving adds nothing, whatever the neighbour's does. */
const addedWhenRefused = (ours: number, peers: number): number =>
  ours <= 0 ? 0 : peers <= 0 ? Infinity : ours / peers;

/** "At least so many times the speed" is "at most so much of the time". */
function storeGoals({ checks, overload, file, bytes }: StoreResults): readonly Goal[] {
  const slower = (scene: string, name: "sluice, exact" | "sluice, leased") =>
    1 / (checks[scene]?.[name]?.speed ?? Number.NaN);
  const cpu = (scene: string) => checks[scene]?.["sluice, exact"]?.cpu ?? Number.NaN;
  return [
    {
      what: "Redis, 1 at a time: time, × rate-limiter-flexible",
      found: slower("1 at a time", "sluice, exact"),
      bound: NOISE,
    },
    ...["50 at a time", "500 at a time"].flatMap((scene) => [
      { what: `Redis, ${scene}: time, × rate-limiter-flexible`, found: slower(scene, "sluice, exact"), bound: 1 / 2.5 },
      { what: `Redis, ${scene}: client CPU, × rate-limiter-flexible`, found: cpu(scene), bound: 1 / 4 },
    ]),
    ...["500 at a time", "50 at a time, one hot key"].map((scene) => ({
      what: `leased, ${scene}: time, × rate-limiter-flexible`,
      found: slower(scene, "sluice, leased"),
      bound: 1 / 20,
    })),
    { what: "leased, 3 × overload: store calls per check", found: overload.callsPerCheck, bound: 0.01 },
    { what: "leased, 3 × overload: share of the limit that is not used", found: 1 - overload.usedShare, bound: 0.01 },
    { what: "leased, 3 × overload: share of the limit in one period", found: overload.usedShare, bound: 1 },
    {
      what: "SQLite, 4 processes: time leased × plain",
      found: file.plain.perSecond / file.leased.perSecond,
      bound: 1 / 10,
    },
    { what: "SQLite, 4 processes, leased: stalls at p99.9 in ms", found: file.leased.stallMs, bound: 20 },
    { what: "Redis: bytes per key of a token bucket", found: bytes["token bucket"], bound: 100 },
    { what: "Redis: bytes per key of a large sliding window", found: bytes["sliding window of 10000"], bound: 700 },
  ];
}
