import type { DecisionResults } from "./decisions/suite.ts";
import type { HeapResults } from "./heap/suite.ts";
import type { HttpResults } from "./http/suite.ts";

/** What all parts found. */
export interface Figures {
  readonly decisions: DecisionResults;
  readonly heap: HeapResults;
  readonly http: HttpResults;
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

export function goals({ decisions, heap, http }: Figures): readonly Goal[] {
  return [...decisionGoals(decisions), ...heapGoals(heap), ...httpGoals(http)];
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
