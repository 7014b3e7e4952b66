import { Heap } from "./heap.ts";
import { type Before, Lane, NOBODY } from "./lane.ts";
import type { QueuedCall } from "./queued-call.ts";

/** Idle lanes looked at for each call that is served: more than one, so that they leave faster than they come. */
const SWEEP = 2;

/**
 * All calls that wait: lanes take turns by the units that they were served (start-time fair queueing), and in a lane
 * order rules. A lane whose own limits refuse stands aside and holds up nobody.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #ready = new Heap<Lane>((a, b) => a.served < b.served || (a.served === b.served && a.since < b.since));
  readonly #aside = new Heap<Lane>((a, b) => a.until < b.until);
  /** Lanes without calls that have had more than others: should they come back soon, they have not forgotten it. */
  readonly #idle = new Set<Lane>();
  /** What the lane that was served last had been served. */
  #served = 0;
  #turns = 0;
  size = 0;

  add(call: QueuedCall): void {
    let lane = this.#lanes.get(call.lane);
    if (lane === undefined) {
      lane = new Lane(call.lane);
      this.#lanes.set(call.lane, lane);
    }
    if (!lane.isListed) this.#enlist(lane);
    const before = lane.isAside ? lane.first() : undefined;
    call.isWaiting = true;
    lane.add(call);
    this.size++;
    if (before !== undefined && call.cost < before.cost && lane.first() === call) this.#takeBack(lane);
  }

  /** A call waits no more: it starts, or was refused, or its caller has left. */
  remove(call: QueuedCall): void {
    if (!call.isWaiting) return;
    const lane = this.#lanes.get(call.lane)!;
    const isHeldUp = lane.isAside && lane.first() === call;
    call.isWaiting = false;
    lane.left(call);
    this.size--;
    // What was too much for one may do for the next.
    if (isHeldUp && (lane.first()?.cost ?? 0) < call.cost) this.#takeBack(lane);
  }

  /** Who is next at `now`. */
  first(now: number): QueuedCall | undefined {
    for (let lane = this.#aside.first(); lane !== undefined && lane.until <= now; lane = this.#aside.first()) {
      this.#comeBack(this.#aside.shift()!);
    }
    for (let lane = this.#ready.first(); lane !== undefined; lane = this.#ready.first()) {
      const call = lane.first();
      if (call !== undefined) return call;
      this.#ready.shift();
      this.#retire(lane);
    }
    return undefined;
  }

  /** The one that is next starts: its lane has had its turn. */
  serve(call: QueuedCall): void {
    const lane = this.#ready.shift()!;
    this.#served = Math.max(this.#served, lane.served);
    lane.served += call.cost;
    this.remove(call);
    if (lane.size > 0) this.#enlist(lane);
    else this.#retire(lane);
    for (let i = 0; i < SWEEP && this.#idle.size > 0; i++) {
      const [idle] = this.#idle as Iterable<Lane>;
      this.#idle.delete(idle!);
      this.#retire(idle!);
    }
  }

  /** The lane that is next stands aside until its own limits allow. */
  putAside(until: number): void {
    const lane = this.#ready.shift()!;
    lane.until = until;
    lane.isAside = true;
    this.#aside.push(lane);
  }

  /** A lane stands aside until its own limits allow. */
  hold(name: string, until: number): void {
    const lane = this.#lanes.get(name);
    if (lane === undefined || !lane.isListed) return;
    this.#ready.keep((one) => one !== lane);
    this.#aside.keep((one) => one !== lane);
    lane.until = until;
    lane.isAside = true;
    this.#aside.push(lane);
  }

  /** Nobody stands aside any more: what they waited for may have come. */
  bringBack(): void {
    for (let lane = this.#aside.shift(); lane !== undefined; lane = this.#aside.shift()) this.#comeBack(lane);
  }

  /** When the first of those that stand aside is back. */
  get backAt(): number {
    return this.#aside.first()?.until ?? Infinity;
  }

  /** At least so many calls and units of its lane go before a call. */
  before(call: QueuedCall, isNewest: boolean): Before {
    return this.#lanes.get(call.lane)?.before(call, isNewest) ?? NOBODY;
  }

  /** Lanes that it knows of, with calls or without. */
  get remembered(): number {
    return this.#lanes.size;
  }

  waitsInLane(name: string): boolean {
    return (this.#lanes.get(name)?.size ?? 0) > 0;
  }

  lane(name: string): Iterable<QueuedCall> {
    return this.#lanes.get(name) ?? [];
  }

  /** Everybody that waits, lane by lane. */
  *[Symbol.iterator](): Generator<QueuedCall> {
    for (const lane of this.#lanes.values()) yield* lane;
  }

  #takeBack(lane: Lane): void {
    this.#aside.keep((one) => one !== lane);
    this.#comeBack(lane);
  }

  /** Turns that it has missed are not made up for: nobody else could have had them. */
  #comeBack(lane: Lane): void {
    lane.isAside = false;
    lane.served = Math.max(lane.served, this.#served);
    this.#ready.push(lane);
  }

  #enlist(lane: Lane): void {
    this.#idle.delete(lane);
    lane.isListed = true;
    lane.served = Math.max(lane.served, this.#served);
    lane.since = ++this.#turns;
    this.#ready.push(lane);
  }

  #retire(lane: Lane): void {
    lane.isListed = false;
    if (lane.served > this.#served) this.#idle.add(lane);
    else this.#lanes.delete(lane.name);
  }
}
