import { type Algorithm, type Answer, Mode, type State } from "../../algorithms/algorithm.ts";
import type { Room, Table } from "./table.ts";

const FIRST_SLOTS = 64;

/**
 * States of fixed width, in one slab of doubles: no object per key, so a token bucket costs two
 * doubles, an entry of the map and a pointer to its key. Slot 0 is the overflow state.
 */
export class SlabTable implements Table {
  algorithm: Algorithm;
  readonly #room: Room;
  readonly #width: number;
  readonly #slots = new Map<string, number>();
  /** The key of each slot, so that a sweep over the slots can forget it. */
  readonly #keys: (string | undefined)[] = [undefined];
  readonly #free: number[] = [];
  readonly #scratch: Float64Array;
  #cells: Float64Array;
  #hand = 1;

  constructor(algorithm: Algorithm, room: Room) {
    this.algorithm = algorithm;
    this.#room = room;
    this.#width = algorithm.width;
    this.#cells = new Float64Array(FIRST_SLOTS * this.#width);
    this.#scratch = new Float64Array(this.#width);
  }

  get size(): number {
    return this.#slots.size;
  }

  apply(
    algorithm: Algorithm,
    key: string,
    now: number,
    cost: number,
    mode: Mode,
    receipt: number,
    answer: Answer,
  ): void {
    const slot = this.#slots.get(key);
    if (slot !== undefined) algorithm.apply(this.#cells, slot * this.#width, now, cost, mode, receipt, answer);
    else this.#applyToNew(algorithm, key, now, cost, mode, receipt, answer);
  }

  #applyToNew(
    algorithm: Algorithm,
    key: string,
    now: number,
    cost: number,
    mode: Mode,
    receipt: number,
    answer: Answer,
  ): void {
    if (!this.#room.admit(this, key, now)) {
      algorithm.apply(this.#cells, 0, now, cost, mode, receipt, answer);
      return;
    }
    const scratch = this.#scratch.fill(0);
    algorithm.apply(scratch, 0, now, cost, mode, receipt, answer);
    if (mode !== Mode.peek && !algorithm.isFresh(scratch, 0, now)) this.#keep(key, scratch);
  }

  #keep(key: string, state: Float64Array): void {
    const slot = this.#free.pop() ?? this.#keys.length;
    this.#slots.set(key, slot);
    this.#keys[slot] = key;
    const offset = slot * this.#width;
    if (offset === this.#cells.length) {
      const grown = new Float64Array(this.#cells.length * 2);
      grown.set(this.#cells);
      this.#cells = grown;
    }
    this.#cells.set(state, offset);
    this.#room.added(key);
  }

  read(key: string, now: number): State | undefined {
    const slot = this.#slots.get(key) ?? (this.#room.admit(this, key, now) ? undefined : 0);
    if (slot === undefined) return undefined;
    return [...this.#cells.subarray(slot * this.#width, (slot + 1) * this.#width)];
  }

  forget(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#keys[slot] = undefined;
    this.#free.push(slot);
    this.#room.removed(key);
  }

  sweep(now: number, count: number): number {
    let forgotten = 0;
    for (let i = Math.min(count, this.#keys.length - 1); i > 0; i--) {
      const key = this.#keys[this.#hand];
      if (key !== undefined && this.algorithm.isFresh(this.#cells, this.#hand * this.#width, now)) {
        this.forget(key);
        forgotten++;
      }
      if (++this.#hand >= this.#keys.length) this.#hand = 1;
    }
    return forgotten;
  }
}
