/**
 * A count over the newest buckets of time, the current one included. What is older is forgotten by the clock and not
 * by the next call: after a silence nothing is left of what was before it.
 */
export class RollingCount {
  readonly #bucketMs: number;
  readonly #counts: number[];
  #latest = -1;
  /** When the latest bucket ends: until then nothing is to be forgotten. */
  #until = 0;
  #total = 0;

  constructor(bucketMs: number, buckets: number) {
    this.#bucketMs = bucketMs;
    this.#counts = new Array<number>(buckets).fill(0);
  }

  /** @param nowMs monotonic, 0 or more; an earlier time than before counts as the latest. */
  add(nowMs: number, units = 1): void {
    this.#rotate(nowMs);
    this.#counts[this.#latest % this.#counts.length]! += units;
    this.#total += units;
  }

  total(nowMs: number): number {
    this.#rotate(nowMs);
    return this.#total;
  }

  #rotate(nowMs: number): void {
    if (!(nowMs >= this.#until)) return;
    const bucket = Math.max(0, Math.floor(nowMs / this.#bucketMs));
    const size = this.#counts.length;
    for (let fresh = Math.max(this.#latest + 1, bucket - size + 1); fresh <= bucket; fresh++) {
      this.#total -= this.#counts[fresh % size]!;
      this.#counts[fresh % size] = 0;
    }
    this.#latest = bucket;
    this.#until = (bucket + 1) * this.#bucketMs;
  }
}
