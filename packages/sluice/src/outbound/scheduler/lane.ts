import { Fifo } from "./fifo.ts";
import { PRIORITIES, type QueuedCall } from "./queued-call.ts";

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

  /** At least so many units stand before a call that came now. */
  costBefore(rank: number, order: number): number {
    let cost = this.#again.live;
    this.#byPriority.forEach((fifo, i) => {
      // Whoever is as urgent came before; of the others only those count that certainly stand before.
      cost += i === rank ? fifo.cost : fifo.countBefore(order);
    });
    return cost;
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
