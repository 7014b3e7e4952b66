import type { Clock } from "../../limiter/clock.ts";
import { OutboundError, type OutboundReason } from "../errors.ts";
import { messageOf } from "../refusal-message.ts";
import { alarm } from "./alarm.ts";
import { Heap } from "./heap.ts";
import { Lanes } from "./lanes.ts";
import { Leavers } from "./leavers.ts";
import type { QueuedCall, Units } from "./queued-call.ts";
import type { Running, Starts, StartsOptions } from "./starts.ts";

export interface LineOptions {
  readonly upstream: string;
  readonly clock: Clock;
  /** Units that one call can have at most. */
  readonly most: number;
  readonly starts: (options: StartsOptions) => Starts;
  readonly heard: StartsOptions["heard"];
  readonly troubled: StartsOptions["troubled"];
}

/** No store is waited for for longer, by those who cannot wait. In microseconds. */
const ANSWER = 250_000;

/** Where a call stands. */
export interface Standing {
  /** Calls that go first. */
  readonly position: number;
  /** How long until it can start at the soonest, in milliseconds. */
  readonly startsInMs: number;
}

/**
 * The calls of one upstream in this process: those that wait, in their order, until their start, their deadline or
 * their caller's leaving. All users of the same limits over the same store share one.
 */
export class Line {
  readonly upstream: string;
  readonly clock: Clock;
  readonly starts: Starts;
  readonly #lanes = new Lanes();
  readonly #most: number;
  readonly #leavers = new Leavers((calls, cause) => this.#leaveAll(calls, () => this.error("cancelled", { cause })));
  readonly #deadlines = new Heap<QueuedCall>((a, b) => this.#leavesAt(a) < this.#leavesAt(b));
  readonly #deadline;
  running = 0;

  constructor({ upstream, clock, most, starts, heard, troubled }: LineOptions) {
    this.upstream = upstream;
    this.clock = clock;
    this.#most = most;
    this.#deadline = alarm(clock, () => this.#expire());
    this.starts = starts({
      lanes: this.#lanes,
      heard,
      troubled,
      late: (calls, until) => this.#leaveLate([...calls].filter(({ deadline }) => deadline < until)),
      fail: (call, reason, cause) => {
        if (reason === "deadline") this.#leaveLate([call]);
        else this.leave(call, this.error(reason, { cause }));
      },
    });
  }

  get waiting(): number {
    return this.#lanes.size + this.starts.asking;
  }

  /** The units of a call that can start at once, because nobody waits. */
  tryStart(lane: string, cost: number, now: number): Units | undefined {
    return this.#lanes.size === 0 ? this.starts.take?.(lane, cost, now) : undefined;
  }

  /**
   * Stand in line until the units are there.
   *
   * @throws OutboundError when the line is full, or when it is known that the call cannot start before its deadline.
   */
  enter(call: QueuedCall, maxQueue: number): void {
    if (call.cost > this.#most) {
      throw this.error("quota", { cost: call.cost, retryAfterMs: Infinity });
    }
    const isFull = this.waiting >= maxQueue;
    // Others may wait for what this call does not need: a limit of their own.
    if (isFull && (this.starts.take === undefined || this.#lanes.waitsInLane(call.lane))) throw this.#full(call);
    if (call.deadline < Infinity) this.#checkDeadline(call);
    this.#lanes.add(call);
    if (!isFull) this.#watch(call);
    this.starts.pump();
    if (!isFull || !call.isWaiting) return;
    this.#lanes.remove(call);
    throw this.#full(call);
  }

  #full(call: QueuedCall): OutboundError {
    const soonest = this.starts.soonest(call.lane, call.cost, 0);
    return this.error("queue-full", { position: this.waiting, retryAfterMs: Math.max(1, Math.ceil(soonest / 1000)) });
  }

  /** @throws OutboundError when the call cannot start in time, as far as is known */
  #checkDeadline(call: QueuedCall): void {
    const { trouble } = this.starts;
    const aheadElsewhere = this.#elsewhere(call);
    const now = this.clock.elapsed();
    if (trouble !== undefined && call.deadline <= now) throw this.error("store", { cause: trouble });
    const { calls, cost } = this.#lanes.before(call, true);
    const soonest = this.starts.soonest(call.lane, call.cost, cost + aheadElsewhere);
    if (soonest === 0 || now + soonest <= call.deadline) return;
    // So long from now the same call with the same patience will be let in.
    const retryAfterMs = Math.ceil((soonest - (call.deadline - now)) / 1000);
    throw this.error("deadline", { position: calls + aheadElsewhere, retryAfterMs: Math.max(1, retryAfterMs) });
  }

  /** Calls of other processes that go first, as far as is known: how urgent they are is not, so none may be more urgent than an urgent one. */
  #elsewhere({ rank }: QueuedCall): number {
    return rank === 0 ? 0 : this.starts.aheadElsewhere;
  }

  /** A call waits no more. */
  leave(call: QueuedCall, error: unknown): void {
    if (!call.isWaiting) return;
    this.#takeOut(call);
    call.refuse(error);
    this.starts.left(call);
  }

  #takeOut(call: QueuedCall): void {
    if (call.ticket === 0) this.#lanes.remove(call);
    call.isWaiting = false;
    this.#forget(call);
  }

  /** Before others may start in their places, all of them have left. */
  #leaveAll(calls: readonly QueuedCall[], errorOf: (call: QueuedCall) => unknown): void {
    const [only] = calls;
    if (only !== undefined && calls.length === 1) {
      this.leave(
        only,
        withoutStack(() => errorOf(only)),
      );
      return;
    }
    const leaving = calls.filter(({ isWaiting }) => isWaiting);
    const errors = withoutStack(() => leaving.map(errorOf));
    for (const call of leaving) this.#takeOut(call);
    leaving.forEach((call, i) => {
      call.refuse(errors[i]);
    });
    for (const call of leaving) this.starts.left(call);
  }

  /** They have waited as long as they could. */
  #leaveLate(calls: readonly QueuedCall[]): void {
    const { trouble } = this.starts;
    this.#leaveAll(calls, (call) => {
      if (trouble !== undefined) return this.error("store", { cause: trouble });
      const { position, startsInMs } = this.#about(call, false);
      return this.error("deadline", { position, retryAfterMs: Math.max(1, startsInMs) });
    });
  }

  /**
   * When a call leaves without a start. Where a store has to be asked, the answer is waited for also by those who
   * wait for nothing else.
   */
  #leavesAt({ deadline, arrivedAt }: QueuedCall): number {
    return this.starts.take === undefined ? Math.max(deadline, arrivedAt + ANSWER) : deadline;
  }

  /** It has been taken out of the line, and starts. */
  started(call: QueuedCall): void {
    this.#forget(call);
  }

  ended(call: Running): void {
    this.starts.ended(call);
  }

  /** Nobody starts for so long, in microseconds: whoever cannot wait so long hears of it now. */
  pause(forUs: number): void {
    this.starts.pause(forUs);
    const until = this.starts.pausedUntil;
    const retryAfterMs = Math.max(1, Math.ceil((until - this.clock.elapsed()) / 1000));
    const impatient = this.#all().filter(({ deadline }) => deadline < until);
    this.#leaveAll(impatient, () => this.error("deadline", { position: 0, retryAfterMs }));
    this.starts.pump();
  }

  /** Where a call stands that waits. */
  standing(call: QueuedCall): Standing {
    if (!call.isWaiting) return { position: 0, startsInMs: 0 };
    let position = 0;
    let cost = 0;
    if (call.ticket !== 0) {
      const ahead = this.starts.aheadOf(call);
      return { position: ahead, startsInMs: Math.ceil(this.starts.soonest(call.lane, call.cost, ahead) / 1000) };
    }
    for (const other of this.#lanes.lane(call.lane)) {
      if (other === call) break;
      position++;
      cost += other.cost;
    }
    const elsewhere = this.starts.aheadElsewhere;
    const soonest = this.starts.soonest(call.lane, call.cost, cost + elsewhere);
    return { position: position + elsewhere, startsInMs: Math.ceil(soonest / 1000) };
  }

  /** Where a call stands that has just come, without counting all. */
  newest(call: QueuedCall): Standing {
    return call.ticket === 0 ? this.#about(call, true) : this.standing(call);
  }

  #about(call: QueuedCall, isNewest: boolean): Standing {
    const aheadElsewhere = this.#elsewhere(call);
    const { calls, cost } = this.#lanes.before(call, isNewest);
    const soonest = this.starts.soonest(call.lane, call.cost, cost + aheadElsewhere);
    return { position: calls + aheadElsewhere, startsInMs: Math.ceil(soonest / 1000) };
  }

  /** Refuse those who wait and are meant. */
  refuse(isMeant: (call: QueuedCall) => boolean, reason: OutboundReason, retryAfterMs?: number): void {
    const options = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.#leaveAll(this.#all().filter(isMeant), () => this.error(reason, options));
  }

  #all(): QueuedCall[] {
    return [...this.#lanes, ...this.starts.asked()];
  }

  error(
    reason: OutboundReason,
    { cost, ...options }: { cause?: unknown; cost?: number; retryAfterMs?: number; position?: number } = {},
  ): OutboundError {
    return new OutboundError(messageOf(this.upstream, reason, { ...options, cost, most: this.#most }), {
      upstream: this.upstream,
      reason,
      ...options,
    });
  }

  #watch(call: QueuedCall): void {
    if (call.deadline < Infinity) {
      this.#deadlines.push(call);
      this.#deadline.set(this.#leavesAt(this.#deadlines.first()!));
    }
    this.#leavers.add(call);
  }

  #forget(call: QueuedCall): void {
    if (call.deadline < Infinity) this.#tidy();
    this.#leavers.delete(call);
  }

  /** Deadlines of those that have left are dropped when they are first, or when most are such. */
  #tidy(): void {
    const deadlines = this.#deadlines;
    while (deadlines.first()?.isWaiting === false) deadlines.shift();
    if (deadlines.size > 64 && deadlines.size > 2 * this.#lanes.size) deadlines.keep(({ isWaiting }) => isWaiting);
    const first = deadlines.first();
    if (first === undefined) this.#deadline.cancel();
    else this.#deadline.set(this.#leavesAt(first));
  }

  #expire(): void {
    // Whoever can start at the very moment of his deadline does.
    if (this.starts.take !== undefined) this.starts.pump();
    const now = this.clock.elapsed();
    const late: QueuedCall[] = [];
    for (let call = this.#deadlines.first(); call !== undefined; call = this.#deadlines.first()) {
      if (call.isWaiting && this.#leavesAt(call) > now) break;
      this.#deadlines.shift();
      late.push(call);
    }
    this.#leaveLate(late);
    this.#tidy();
  }
}

/** Errors of those who wait are made far from where they called: a stack tells nothing, and takes most of the time. */
function withoutStack<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  if (stackTraceLimit === undefined || Object.isFrozen(Error)) return make();
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
