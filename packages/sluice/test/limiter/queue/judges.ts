import type { Fate, Life } from "./life.ts";

type Kind = (fate: Fate) => string;
const all: Kind = () => "all";
const groupOf: Kind = ({ call: { lane } }) => lane.slice(0, lane.indexOf("~", 1));

/** When the call was over for the upstream: it ended, or its process was killed. */
const overOf = ({ ended, gone }: Fate, end: number): number => ended ?? gone ?? end;

/** The most units that started in any period, beyond the limit; after a loss of everything as much may start anew. */
function excess({ fates, flushes }: Life, kind: Kind, limit: number, period: number): number {
  let worst = 0;
  const started = fates.filter(({ started }) => started !== undefined).sort((a, b) => a.started! - b.started!);
  for (const group of new Set(started.map(kind))) {
    const own = started.filter((fate) => kind(fate) === group);
    let first = 0;
    let units = 0;
    for (const { started: time, call } of own) {
      units += call.cost;
      while (own[first]!.started! <= time! - period) units -= own[first++]!.call.cost;
      const lost = flushes.filter((flush) => flush > time! - period && flush <= time!).length;
      worst = Math.max(worst, units - limit * (1 + lost));
    }
  }
  return worst;
}

/** The most calls at once, beyond the limit; a call counts for `after` longer than it lasts. */
function crowd({ fates, end }: Life, kind: Kind, limit: number, after: number): number {
  let worst = 0;
  const started = fates.filter(({ started }) => started !== undefined);
  for (const fate of started) {
    const time = fate.started!;
    const now = started.filter(
      (one) => kind(one) === kind(fate) && one.started! <= time && overOf(one, end) + after > time,
    );
    worst = Math.max(worst, now.length - limit);
  }
  return worst;
}

/** The longest time in which nothing started while a live process waited, and nobody had paused the queue. */
export function longestGap({ fates, end, pauses }: Life): number {
  const starts = fates.flatMap(({ started }) => (started === undefined ? [] : [started])).sort((a, b) => a - b);
  let longest = 0;
  for (const { came, started, gone } of fates) {
    const until = Math.min(started ?? end, gone ?? end);
    let since = came;
    for (const start of [...starts.filter((time) => time > came && time < until), until]) {
      const paused = pauses.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, start) - Math.max(a, since)), 0);
      longest = Math.max(longest, start - since - paused);
      since = start;
    }
  }
  return longest;
}

/** What a life did that must not be, by every limit of its plan; undefined if nothing. */
export function wrongIn(life: Life): string | undefined {
  const { plan, fates, line } = life;
  const period = plan.periodMs * 1000;
  const after = (plan.afterEndMs ?? 0) * 1000;
  const found = {
    "units above the limit": excess(life, all, plan.limit, period),
    "units of a group above its limit": excess(life, groupOf, plan.groupLimit ?? Infinity, period),
    "calls above the places": crowd(life, all, plan.places ?? Infinity, after),
    "calls of a group above its places": crowd(life, groupOf, plan.groupPlaces ?? Infinity, after),
    "calls that never started": fates.filter(({ started, gone }) => started === undefined && gone === undefined).length,
  };
  const [first] = Object.entries(found).filter(([, count]) => count > 0);
  return first === undefined ? line.wrong[0] : `${first[1]} ${first[0]}`;
}

/** From the first call to the last start, in microseconds. */
export function timeTaken({ fates }: Life): number {
  const starts = fates.flatMap(({ started }) => started ?? []);
  return Math.max(...starts) - Math.min(...fates.map(({ came }) => came));
}
