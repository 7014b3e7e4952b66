import type { QueuedCall } from "./queued-call.ts";

/** Calls in the order of their coming. One that leaves stays as a hole until its turn, or until half of them are holes. */
export class Fifo {
  #calls: QueuedCall[] = [];
  #head = 0;
  /** Calls that wait, and their units. */
  live = 0;
  cost = 0;
  /** Those of them that cost nothing. */
  free = 0;

  push(call: QueuedCall): void {
    this.#calls.push(call);
    this.#count(call, 1);
  }

  /** Before all that have a greater order. */
  insert(call: QueuedCall): void {
    const calls = this.#calls;
    let at = calls.length;
    while (at > this.#head && calls[at - 1]!.order > call.order) at--;
    calls.splice(at, 0, call);
    this.#count(call, 1);
  }

  first(): QueuedCall | undefined {
    const calls = this.#calls;
    while (this.#head < calls.length && !calls[this.#head]!.isWaiting) this.#head++;
    return calls[this.#head];
  }

  /** A call has stopped waiting. */
  left(call: QueuedCall): void {
    this.#count(call, -1);
    if (this.#calls[this.#head] === call) this.#head++;
    const { length } = this.#calls;
    if (length > 64 && this.live * 2 < length) {
      this.#calls = this.#calls.slice(this.#head).filter(({ isWaiting }) => isWaiting);
      this.#head = 0;
    }
  }

  /** At least so many of those that wait stand before `order`: those that left may be counted wrong, but never as here. */
  countBefore(order: number): number {
    const calls = this.#calls;
    let low = this.#head;
    let high = calls.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (calls[middle]!.order < order) low = middle + 1;
      else high = middle;
    }
    const holes = calls.length - this.#head - this.live;
    return Math.max(0, low - this.#head - holes);
  }

  #count({ cost }: QueuedCall, by: 1 | -1): void {
    this.live += by;
    this.cost += by * cost;
    if (cost === 0) this.free += by;
  }

  *[Symbol.iterator](): Generator<QueuedCall> {
    for (let at = this.#head; at < this.#calls.length; at++) {
      const call = this.#calls[at]!;
      if (call.isWaiting) yield call;
    }
  }
}
