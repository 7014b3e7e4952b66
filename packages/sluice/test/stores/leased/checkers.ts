/** A call that was let through: decided at some moment from `from` to `to`, in microseconds of the world. */
export interface Admission {
  readonly from: number;
  readonly to: number;
  readonly cost: number;
}

/** Sums of costs by time, to ask how much there was before a moment. */
function sums(admissions: readonly Admission[], timeOf: (one: Admission) => number) {
  const sorted = admissions.map((one) => ({ time: timeOf(one), cost: one.cost })).sort((a, b) => a.time - b.time);
  let sum = 0;
  return sorted.map(({ time, cost }) => {
    sum += cost;
    return { time, cost, sum };
  });
}

/**
 * The most units that were surely let through in a window: those that began in it and ended in it. No false alarm, if
 * no call takes longer than the window.
 */
export function mostInAnyWindow(admissions: readonly Admission[], window: number): number {
  const began = sums(admissions, ({ from }) => from);
  const ended = sums(admissions, ({ to }) => to);
  let most = 0;
  let next = 0;
  for (const { time, cost, sum } of began) {
    while (next < ended.length && ended[next]!.time < time + window) next++;
    const before = sum - cost;
    most = Math.max(most, (next === 0 ? 0 : ended[next - 1]!.sum) - before);
  }
  return most;
}

/** By how many units the worst span exceeds `burst + rate × span`; 0 or less: none does. */
export function mostOverBucket(admissions: readonly Admission[], burst: number, rate: number): number {
  const began = sums(admissions, ({ from }) => from);
  const ended = sums(admissions, ({ to }) => to);
  let worst = -Infinity;
  let least = Infinity;
  let next = 0;
  for (const { time, sum } of ended) {
    for (; next < began.length && began[next]!.time <= time; next++) {
      const one = began[next]!;
      least = Math.min(least, one.sum - one.cost - rate * one.time);
    }
    worst = Math.max(worst, sum - rate * time - least - burst);
  }
  return worst;
}
