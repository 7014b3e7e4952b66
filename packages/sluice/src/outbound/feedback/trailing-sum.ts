/** Units by when they were added, over a trailing window. */
export interface TrailingSum {
  add(units: number, nowMs: number): void;
  /** What was added at `fromMs` or later, and perhaps what was added up to a part of the window before. */
  since(fromMs: number): number;
}

/** So many parts of a window are kept as one number each. */
const PARTS = 32;

/**
 * A sum over the last two windows: responses may be late by one. What is older than that is forgotten.
 * Bounded memory; times may not go back.
 */
export function trailingSum(windowMs: number): TrailingSum {
  const width = windowMs / PARTS;
  const parts: { readonly index: number; units: number }[] = [];

  return {
    add(units, nowMs) {
      const index = Math.floor(nowMs / width);
      const last = parts.at(-1);
      if (last !== undefined && last.index >= index) last.units += units;
      else parts.push({ index, units });
      while (parts[0]!.index < index - 2 * PARTS) parts.shift();
    },
    since(fromMs) {
      const from = Math.floor(fromMs / width);
      let sum = 0;
      for (let i = parts.length - 1; i >= 0 && parts[i]!.index >= from; i--) sum += parts[i]!.units;
      return sum;
    },
  };
}
