import { type Algorithm, type Answer, type Cells, Mode } from "./algorithm.ts";

/**
 * A key that is blocked until a time: the state is `[end]`, and a forced cost is a block of that many
 * microseconds. Kept beside the quotas of a limiter, and decided together with them.
 */
export const block: Algorithm = {
  name: "block",
  params: [],
  capacity: 0,
  width: 1,
  clock: "elapsed",

  apply(cells: Cells, offset: number, now: number, cost: number, mode: Mode, _receipt: number, answer: Answer): void {
    if (mode === Mode.force) cells[offset] = Math.max(cells[offset]!, now + cost);
    const left = Math.max(0, cells[offset]! - now);
    answer.allowed = mode === Mode.force || cost <= 0 || left === 0;
    answer.remaining = 0;
    answer.retryAfter = answer.allowed ? 0 : left;
    answer.resetAfter = left;
    answer.receipt = 0;
  },

  isFresh(cells: Cells, offset: number, now: number): boolean {
    return cells[offset]! <= now;
  },

  share: () => block,
};
