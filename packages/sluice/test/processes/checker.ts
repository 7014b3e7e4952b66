/** What surely passed: decided at one time that is not known, but not before `invoked` and not after `completed`. */
export interface Admission {
  /** In nanoseconds of `process.hrtime`: one clock for all processes of a machine. */
  readonly invoked: number;
  readonly completed: number;
  readonly cost: number;
}

/** A promise: never more than `units` in any window of `windowMs`. */
export interface Bound {
  readonly windowMs: number;
  readonly units: number;
}

/** A time from `from` up to `until`, without it. */
export interface Interval {
  readonly from: number;
  readonly until: number;
  readonly weight: number;
}

export interface Most {
  readonly weight: number;
  /** The first time at which it was so much. */
  readonly at: number;
}

/**
 * The most units that were surely decided within one window: those of calls that began and ended in it. Calls
 * that reach over its edges count for nothing, so there is no false alarm, however long a process was stopped.
 *
 * A window [s, s + W) holds a call when completed - W < s <= invoked: the window with the most of them is the
 * place where most of these intervals of s overlap.
 */
export function mostInWindow(admissions: readonly Admission[], windowMs: number): Most {
  const windowNs = windowMs * 1e6;
  return mostAtOnce(
    admissions.map(({ invoked, completed, cost }) => ({
      from: completed - windowNs + 1,
      until: invoked + 1,
      weight: cost,
    })),
  );
}

/** The windows in which more passed than was promised: one for each broken bound. */
export function violations(admissions: readonly Admission[], bounds: readonly Bound[]): readonly string[] {
  return bounds.flatMap(({ windowMs, units }) => {
    const { weight, at } = mostInWindow(admissions, windowMs);
    return weight > units ? [`${weight} units in the ${windowMs} ms from ${at} ns on, but ${units} are allowed`] : [];
  });
}

/** The greatest sum of weights at one time. Empty intervals count for nothing. */
export function mostAtOnce(intervals: readonly Interval[]): Most {
  const real = intervals.filter(({ from, until }) => from < until);
  const begins = real.toSorted((a, b) => a.from - b.from);
  const ends = real.toSorted((a, b) => a.until - b.until);
  let weight = 0;
  let most: Most = { weight: 0, at: 0 };
  let ended = 0;
  for (const { from, weight: more } of begins) {
    while (ends[ended]!.until <= from) weight -= ends[ended++]!.weight;
    weight += more;
    if (weight > most.weight) most = { weight, at: from };
  }
  return most;
}
