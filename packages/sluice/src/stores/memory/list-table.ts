import { type Algorithm, type Answer, Mode, type State } from "../../algorithms/algorithm.ts";
import type { Room, Table } from "./table.ts";

/** States that grow with use: a list of numbers per key. */
export class ListTable implements Table {
  algorithm: Algorithm;
  readonly #room: Room;
  readonly #lists = new Map<string, number[]>();
  readonly #overflow: number[] = [];
  #hand = this.#lists.entries();

  constructor(algorithm: Algorithm, room: Room) {
    this.algorithm = algorithm;
    this.#room = room;
  }

  get size(): number {
    return this.#lists.size;
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
    const list = this.#lists.get(key);
    if (list !== undefined) algorithm.apply(list, 0, now, cost, mode, receipt, answer);
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
      algorithm.apply(this.#overflow, 0, now, cost, mode, receipt, answer);
      return;
    }
    const list: number[] = [];
    algorithm.apply(list, 0, now, cost, mode, receipt, answer);
    if (mode === Mode.peek || algorithm.isFresh(list, 0, now)) return;
    // A copy has just the room that it needs: the list itself has grown for more than most keys ever take.
    this.#lists.set(key, list.slice());
    this.#room.added(key);
  }

  read(key: string, now: number): State | undefined {
    const list = this.#lists.get(key) ?? (this.#room.admit(this, key, now) ? undefined : this.#overflow);
    return list && [...list];
  }

  forget(key: string): void {
    if (this.#lists.delete(key)) this.#room.removed(key);
  }

  sweep(now: number, count: number): number {
    let forgotten = 0;
    for (let i = Math.min(count, this.#lists.size); i > 0; i--) {
      const { value, done } = this.#hand.next();
      if (done) {
        this.#hand = this.#lists.entries();
      } else if (this.algorithm.isFresh(value[1], 0, now)) {
        this.forget(value[0]);
        forgotten++;
      }
    }
    return forgotten;
  }
}
