import { leaseName } from "../../limiter/concurrency-limiter.ts";
import type { EnteringTicket } from "./outbox.ts";
import type { QueuedCall } from "./queued-call.ts";
import { Recent } from "./recent.ts";

/** Calls of this process that stand in a shared queue, by the names of their tickets. */
export class Tickets {
  readonly #calls = new Map<number, QueuedCall>();
  /** Of calls that started or left: news of them may come late, or twice. */
  readonly #settled = new Recent();

  get size(): number {
    return this.#calls.size;
  }

  get(id: number): QueuedCall | undefined {
    return this.#calls.get(id);
  }

  has(call: QueuedCall): boolean {
    return call.ticket !== 0 && this.#calls.get(call.ticket) === call;
  }

  ids(): number[] {
    return [...this.#calls.keys()];
  }

  calls(): Iterable<QueuedCall> {
    return this.#calls.values();
  }

  waitsInLane(lane: string): boolean {
    for (const call of this.#calls.values()) if (call.lane === lane) return true;
    return false;
  }

  /** A call stands in the queue from now on, where it would stand if it had done so when it came. */
  stand(call: QueuedCall): EnteringTicket {
    call.ticket = leaseName();
    call.isWaiting = true;
    this.#calls.set(call.ticket, call);
    const { ticket: id, lane, cost, order } = call;
    return { id, lane, cost, order };
  }

  /** It stands there no more, but news of its ticket may still matter. */
  delete(id: number): void {
    this.#calls.delete(id);
  }

  /** News of this ticket matter no more. Whether they did. */
  settle(id: number): boolean {
    if (this.#settled.has(id)) return false;
    this.#settled.add(id);
    return true;
  }
}
