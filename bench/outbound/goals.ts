import type { Goal } from "../goals.ts";
import { type PatternName, patterns } from "./patterns.ts";
import type { OutboundResults } from "./suite.ts";

/** "At least so many times the speed" is "at most so much of the time". */
export function outboundGoals({ accuracy, shared, speed }: OutboundResults): readonly Goal[] {
  const names = Object.keys(patterns) as PatternName[];
  const found = (pattern: PatternName) => accuracy.sluice![pattern];
  return [
    ...names.map((pattern) => ({
      what: `calls out, ${pattern}: the most starts in a period`,
      found: found(pattern).starts,
      bound: patterns[pattern].limit,
    })),
    ...(["1,000 at once", "1,000 in two bursts"] as const).map((pattern) => ({
      what: `calls out, ${pattern}: time × ideal`,
      found: found(pattern).toIdeal,
      bound: 1.01,
    })),
    {
      what: "calls out, anchor end: the most arrivals in a period",
      found: accuracy["sluice, anchor end"]!["on the way"].arrivals,
      bound: patterns["on the way"].limit,
    },
    ...(["100,000 at once", "1 M at once"] as const).flatMap((scene) => {
      const ours = speed.calls[scene].sluice!;
      const toPeer = (peer: "p-queue" | "bottleneck, reservoir") =>
        speed.calls[scene][peer]!.perSecond / ours.perSecond;
      return [
        { what: `calls out, ${scene}: time, × a bare call`, found: ours.toBare, bound: 3 },
        { what: `calls out, ${scene}: time, × p-queue`, found: toPeer("p-queue"), bound: 1 / 5 },
        { what: `calls out, ${scene}: time, × bottleneck`, found: toPeer("bottleneck, reservoir"), bound: 1 / 100 },
      ];
    }),
    { what: "calls out: bytes per waiting call", found: speed.bytes.sluice!, bound: 450 },
    { what: "calls out: cancels, × p-queue", found: speed.cancels.sluice! / speed.cancels["p-queue"]!, bound: 0.05 },
    ...(["all at once", "one by one"] as const).flatMap((scene) => [
      { what: `8 processes, ${scene}: the most starts in a period`, found: shared[scene].sluice.starts, bound: 40 },
      { what: `8 processes, ${scene}: time × ideal`, found: shared[scene].sluice.toIdeal, bound: 1.05 },
    ]),
    {
      what: "8 processes, one by one: scripts per call",
      found: shared["one by one"].sluice.scriptsPerCall,
      bound: 1.1,
    },
    {
      what: "8 processes, all at once: scripts, × bottleneck",
      found: shared["all at once"].sluice.scriptsPerCall / shared["all at once"].bottleneck.scriptsPerCall,
      bound: 1 / 10,
    },
  ];
}
