/** The largest number of stamps in any half-open window `[t, t + windowMs)`. The stamps may come in any order. */
export function worstWindow(stampsMs: readonly number[], windowMs: number): number {
  const sorted = [...stampsMs].sort((a, b) => a - b);
  let worst = 0;
  let first = 0;
  for (const [last, stamp] of sorted.entries()) {
    while (stamp - sorted[first]! >= windowMs) first++;
    worst = Math.max(worst, last - first + 1);
  }
  return worst;
}

/** When calls that came at these times start at the earliest, first come first served, with never more than `limit` in any window. */
export function idealStarts(arrivalsMs: readonly number[], limit: number, windowMs: number): readonly number[] {
  const starts: number[] = [];
  for (const arrival of [...arrivalsMs].sort((a, b) => a - b)) {
    const freed = starts.length < limit ? -Infinity : starts[starts.length - limit]! + windowMs;
    starts.push(Math.max(arrival, freed));
  }
  return starts;
}

/** How long it takes at least until the last of so many jobs starts that all come at once. */
export const idealMs = (jobs: number, limit: number, windowMs: number): number =>
  Math.floor(Math.max(0, jobs - 1) / limit) * windowMs;
