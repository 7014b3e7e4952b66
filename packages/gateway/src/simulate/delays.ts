/** How long calls waited: counted in classes, each a twentieth longer than the one before. */
export interface Delays {
  add(ms: number): void;
  readonly count: number;
  /** In milliseconds; at most a twentieth too much. 0 without any. */
  percentile(part: number): number;
  readonly longestMs: number;
}

const STEP = Math.log(1.05);

export function delays(): Delays {
  const classes = new Map<number, number>();
  let count = 0;
  let longest = 0;
  return {
    add(ms) {
      count++;
      if (ms > longest) longest = ms;
      const nth = Math.ceil(Math.log(Math.max(ms, 0.001)) / STEP);
      classes.set(nth, (classes.get(nth) ?? 0) + 1);
    },
    get count() {
      return count;
    },
    percentile(part) {
      let seen = 0;
      for (const [nth, many] of [...classes].sort(([a], [b]) => a - b)) {
        seen += many;
        if (seen >= part * count) return Math.min(longest, Math.exp(nth * STEP));
      }
      return 0;
    },
    get longestMs() {
      return longest;
    },
  };
}
