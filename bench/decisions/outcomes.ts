/** Allowed runs never reach their limit, refused ones are over it from the second call on. Nothing is over before the run is. */
export const rates = {
  allowed: [60_000_000, 60_000],
  refused: [1, 3_600_000],
} as const satisfies Record<string, readonly [limit: number, periodMs: number]>;

export type Outcome = keyof typeof rates;
