/** Whose calls come in: the keys, and the order in which they call. */
export interface Scene {
  readonly keys: readonly string[];
  /** Indices into `keys`; read round and round. */
  readonly order: Uint32Array;
}

/** Calls before the order repeats; a power of two, so that a mask wraps it. */
export const ORDER_LENGTH = 1 << 20;

export const scenes = {
  "one hot key": () => scene(1, () => 0),
  "10,000 keys": () => scene(10_000, (random) => Math.floor(random() * 10_000)),
  "1 M keys (Zipf)": () => scene(1_000_000, zipf(1_000_000)),
} satisfies Record<string, () => Scene>;

export type SceneName = keyof typeof scenes;

/** Addresses, as servers have them, each a text of its own and not a slice or a join of others. */
export function keysOf(count: number): readonly string[] {
  const addresses = Array.from({ length: count }, (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);
  return JSON.parse(JSON.stringify(addresses));
}

function scene(count: number, draw: (random: () => number) => number): Scene {
  const random = mulberry32(1);
  return { keys: keysOf(count), order: Uint32Array.from({ length: ORDER_LENGTH }, () => draw(random)) };
}

/** Zipf's law with exponent 1: the key of rank r calls 1/r as often as the first one. Ranks are scattered over the keys. */
function zipf(count: number): (random: () => number) => number {
  const sums = new Float64Array(count);
  for (let rank = 1, sum = 0; rank <= count; rank++) sums[rank - 1] = sum += 1 / rank;
  return (random) => {
    const drawn = random() * sums[count - 1]!;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < drawn) low = middle + 1;
      else high = middle;
    }
    return (low * 7919) % count;
  };
}

/** A small generator of pseudo-random numbers, so that every process draws the same order. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
