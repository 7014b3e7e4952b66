import { Fifo } from "./fifo.ts";
import { PRIORITIES, type QueuedCall } from "./queued-call.ts";

/** What stands before a call. */
export interface Before {
  readonly calls: number;
  readonly cost: number;
}

export const NOBODY: Before = { calls: 0, cost: 0 };

/** The calls of one tenant and endpoint, in the order of urgency and age. */
export class Lane {
  readonly name: string;
  /** Units that were served, as if all lanes had been served alike: the lane with the least goes first. */
  served = 0;
  /** Of lanes that were served alike, the one that waits for longest goes first. */
  since = 0;
  /** Its own limits refuse until then. */
  until = 0;
  /** It waits for its turn, or stands aside. */
  isListed = false;
  /** It stands aside. */
  isAside = false;
  readonly #byPriority = PRIORITIES.map(() => new Fifo());
  readonly #again = new Fifo();
  size = 0;

  constructor(name: string) {
    this.name = name;
  }

  add(call: QueuedCall): void {
    this.size++;
    if (call.isAgain) this.#again.insert(call);
    else this.#byPriority[call.rank]!.push(call);
  }

  left(call: QueuedCall): void {
    this.size--;
    (call.isAgain ? this.#again : this.#byPriority[call.rank]!).left(call);
  }

  first(): QueuedCall | undefined {
    let first = this.#again.first();
    for (const fifo of this.#byPriority) {
      const head = fifo.first();
      if (head !== undefined && (first === undefined || head.order < first.order)) first = head;
    }
    return first;
  }

  /** At least so much stands before a call. Exact among calls of its urgency for the newest one, in the lane or about to be. */
  before({ rank, order, isAgain, isWaiting, cost: own }: QueuedCall, isNewest: boolean): Before {
    let calls = 0;
    let cost = 0;
    for (const fifo of [this.#again, ...this.#byPriority]) {
      if (isNewest && !isAgain && fifo === this.#byPriority[rank]) {
        calls += fifo.live - (isWaiting ? 1 : 0);
        cost += fifo.cost - (isWaiting ? own : 0);
      } else {
        // Of these only those count that certainly stand before.
        const count = fifo.countBefore(order);
        calls += count;
        cost += Math.max(0, count - fifo.free);
      }
    }
    return { calls, cost };
  }

  /** Those that wait, in order. */
  *[Symbol.iterator](): Generator<QueuedCall> {
    const heads = [this.#again, ...this.#byPriority].map((fifo) => {
      const calls = fifo[Symbol.iterator]();
      return { calls, next: calls.next() };
    });
    for (;;) {
      let first: (typeof heads)[number] | undefined;
      for (const head of heads) {
        if (head.next.done) continue;
        if (first === undefined || head.next.value.order < (first.next.value as QueuedCall).order) first = head;
      }
      if (first === undefined) return;
      yield first.next.value as QueuedCall;
      first.next = first.calls.next();
    }
  }
}
