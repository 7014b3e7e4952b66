import { seeded } from "../../packages/sluice/test/algorithms/seeded.ts";
import type { Rate } from "./contenders.ts";

/** When callers come to an upstream. */
export interface Pattern extends Rate {
  /** So many calls at once, so long after the beginning. */
  readonly bursts: readonly (readonly [atMs: number, calls: number])[];
  /** When the event loop stands still. @default never */
  readonly stallsMs?: readonly number[];
  /** How long a call is on its way to the server at most; the least is nothing. @default 0 */
  readonly wayMs?: number;
}

const TEN = { limit: 10, periodMs: 1000 };
const HUNDRED = { limit: 100, periodMs: 1000 };

const random = seeded(4);

export const patterns = {
  edge: {
    ...TEN,
    bursts: [
      [0, 1],
      [950, 30],
    ],
  },
  partial: {
    ...TEN,
    bursts: [
      [0, 9],
      [910, 30],
    ],
  },
  saturated: { ...TEN, bursts: [[0, 40]] },
  stall: { ...TEN, bursts: [[0, 40]], stallsMs: [850, 2_350] },
  random: {
    ...TEN,
    bursts: Array.from({ length: 14 }, () => [random() * 3_000, 1 + Math.floor(random() * 5)] as const),
  },
  "on the way": { ...TEN, bursts: [[0, 40]], wayMs: 120 },
  "1,000 at once": { ...HUNDRED, bursts: [[0, 1_000]] },
  /** The second burst finds half of the limit in use, by the last calls of the first one. */
  "1,000 in two bursts": {
    ...HUNDRED,
    bursts: [
      [0, 550],
      [5_950, 450],
    ],
  },
} satisfies Record<string, Pattern>;

export type PatternName = keyof typeof patterns;
