/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median of one's figures divided by the other's of the same turn. */
export function medianRatio(figures: readonly number[], base: readonly number[]): number {
  return median(figures.map((figure, turn) => figure / base[turn]!));
}
