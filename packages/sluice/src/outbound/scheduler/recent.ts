/** So many are remembered: news come late by milliseconds, not by hours. */
const CAPACITY = 8192;

/** Numbers that were seen not long ago: the latest few thousand. */
export class Recent {
  #current = new Set<number>();
  #previous = new Set<number>();

  has(value: number): boolean {
    return this.#current.has(value) || this.#previous.has(value);
  }

  add(value: number): void {
    this.#current.add(value);
    if (this.#current.size < CAPACITY) return;
    this.#previous = this.#current;
    this.#current = new Set();
  }
}
