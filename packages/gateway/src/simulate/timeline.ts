/** What happened within a time. */
export interface Slice {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  calls: number;
  /** By the policies that are tried. */
  refused: number;
  /** By what they are compared with. */
  wasRefused: number;
}

/** Calls over time, in as many slices as a chart has room for, however long the time. */
export interface Timeline {
  add(timeMs: number, isRefused: boolean, wasRefused: boolean): void;
  /** How long a slice is, in milliseconds. */
  readonly sliceMs: number;
  readonly slices: readonly Slice[];
}

const MOST = 240;
/** Each fits into the next a whole number of times. */
const WIDTHS_MS = [
  1_000, 5_000, 15_000, 30_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000,
  86_400_000,
];

export function timeline(most = MOST): Timeline {
  let width = WIDTHS_MS[0]!;
  /** In order of time, without those in which nothing happened. */
  let slices: Slice[] = [];

  const spanned = (): number => (slices.length === 0 ? 0 : (slices.at(-1)!.at - slices[0]!.at) / width + 1);

  function widen(): void {
    width = WIDTHS_MS.find((one) => one > width) ?? width * 2;
    const merged: Slice[] = [];
    for (const one of slices) {
      const at = Math.floor(one.at / width) * width;
      const last = merged.at(-1);
      if (last?.at !== at) {
        merged.push({ ...one, at });
        continue;
      }
      last.calls += one.calls;
      last.refused += one.refused;
      last.wasRefused += one.wasRefused;
    }
    slices = merged;
  }

  function sliceAt(timeMs: number): Slice {
    const last = slices.at(-1);
    if (last !== undefined && timeMs >= last.at && timeMs < last.at + width) return last;
    const at = Math.floor(timeMs / width) * width;
    // Outcomes of calls that waited come a little later than others.
    for (let i = slices.length - 1; i >= 0 && slices[i]!.at >= at; i--) if (slices[i]!.at === at) return slices[i]!;
    const slice = { at, calls: 0, refused: 0, wasRefused: 0 };
    const after = slices.findLastIndex((one) => one.at < at);
    slices.splice(after + 1, 0, slice);
    if (spanned() <= most) return slice;
    while (spanned() > most) widen();
    return sliceAt(timeMs);
  }

  return {
    add(timeMs, isRefused, wasRefused) {
      const slice = sliceAt(timeMs);
      slice.calls++;
      if (isRefused) slice.refused++;
      if (wasRefused) slice.wasRefused++;
    },
    get sliceMs() {
      return width;
    },
    get slices() {
      return slices;
    },
  };
}
