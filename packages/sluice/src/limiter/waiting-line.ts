import type { Clock } from "./clock.ts";
import type { Decision } from "./decision.ts";
import { RateLimitError } from "./errors.ts";
import { chain, isPromise } from "./reply.ts";
import type { Awaitable } from "./store.ts";

/** What came of asking for units. */
export interface Attempt<T> {
  readonly decision: Decision;
  /** What the one who waited gets. */
  readonly value: T;
  /** Hand the units back: he left while they were being fetched. */
  undo(): unknown;
}

export interface WaitingLineOptions<T> {
  readonly clock: Clock;
  /** Take `cost` units, if they are there. */
  attempt(cost: number): Awaitable<Attempt<T>>;
  /** When `cost` units will be there for somebody behind others that take `ahead` units each. */
  foresee(cost: number, ahead: readonly number[]): Awaitable<Decision>;
  /**
   * Whether `foresee` knows the time: then those who cannot be served in time are refused at once.
   * Where it only knows the latest time, everybody may wait until his time is over.
   */
  readonly isExact: boolean;
  /** At most this many wait. */
  readonly maxWaiting: number;
  /** Called when nobody waits any more. */
  onEmpty(): void;
}

export interface WaitOptions {
  /** @default 1 */
  readonly cost?: number;
  /** Do not wait longer than this. In milliseconds. @default Infinity */
  readonly maxWaitMs?: number;
  /** Leave the line at once when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

interface Waiter<T> {
  readonly cost: number;
  /** On the clock's elapsed time, in microseconds. */
  readonly deadline: number;
  settle(outcome: { value: T } | { error: unknown }): void;
}

/** Those who wait for units of one key: first come, first served. */
export class WaitingLine<T> {
  readonly #options: WaitingLineOptions<T>;
  /** In order of arrival; the first one asks, the others stand behind. */
  readonly #waiters = new Set<Waiter<T>>();
  #isAsking = false;
  #cancelTimer: () => void = () => {};

  constructor(options: WaitingLineOptions<T>) {
    this.#options = options;
  }

  /** @throws RateLimitError at once when the units cannot be there in time, with the exact time in its decision. */
  join({ cost = 1, maxWaitMs = Infinity, signal }: WaitOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const { clock, maxWaiting } = this.#options;
      const leave = () => waiter.settle({ error: signal!.reason });
      const cancelDeadline = maxWaitMs === Infinity ? () => {} : clock.after(maxWaitMs, () => this.#refuse(waiter));
      const waiter: Waiter<T> = {
        cost,
        deadline: clock.elapsed() + maxWaitMs * 1000,
        settle: (outcome) => {
          const wasFirst = this.#first === waiter;
          if (!this.#waiters.delete(waiter)) return;
          cancelDeadline();
          signal?.removeEventListener("abort", leave);
          if ("value" in outcome) resolve(outcome.value);
          else reject(outcome.error);
          if (wasFirst) queueMicrotask(() => this.#next());
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      const isFull = this.#waiters.size >= maxWaiting;
      this.#waiters.add(waiter);
      if (this.#first === waiter) this.#next();
      else if (isFull) this.#refuse(waiter);
      else if (this.#options.isExact) this.#foresee(waiter, (decision) => this.#isTooLate(waiter, decision));
    });
  }

  /** Units may have come back sooner than foreseen: ask again. */
  wake(): void {
    this.#next();
  }

  get #first(): Waiter<T> | undefined {
    return this.#waiters.values().next().value;
  }

  /** Whoever is too late, or one too many, leaves with the time that was foreseen for him. */
  #refuse(waiter: Waiter<T>): void {
    this.#foresee(waiter, () => true);
  }

  #foresee(waiter: Waiter<T>, isRefused: (decision: Decision) => boolean): void {
    const ahead: number[] = [];
    for (const other of this.#waiters) {
      if (other === waiter) break;
      ahead.push(other.cost);
    }
    this.#guard(waiter, () =>
      chain(this.#options.foresee(waiter.cost, ahead), (decision) => {
        if (isRefused(decision)) waiter.settle({ error: new RateLimitError({ ...decision, allowed: false }) });
      }),
    );
  }

  /** Ask for the first in line, unless that is being done. */
  #next(): void {
    this.#cancelTimer();
    const first = this.#first;
    if (first === undefined) this.#options.onEmpty();
    else if (!this.#isAsking) this.#ask(first);
  }

  #ask(waiter: Waiter<T>): void {
    this.#isAsking = true;
    this.#guard(waiter, () =>
      chain(this.#options.attempt(waiter.cost), (attempt) => {
        this.#isAsking = false;
        this.#answer(waiter, attempt);
      }),
    );
  }

  #answer(waiter: Waiter<T>, { decision, value, undo }: Attempt<T>): void {
    if (!this.#waiters.has(waiter)) {
      if (decision.allowed) undo();
      this.#next();
    } else if (decision.allowed) {
      waiter.settle({ value });
    } else if (this.#isTooLate(waiter, decision)) {
      waiter.settle({ error: new RateLimitError(decision) });
    } else {
      this.#cancelTimer = this.#options.clock.after(decision.retryAfterMs, () => this.#next());
    }
  }

  #isTooLate({ deadline }: Waiter<T>, { retryAfterMs }: Decision): boolean {
    if (retryAfterMs === Infinity) return true;
    return this.#options.isExact && this.#options.clock.elapsed() + retryAfterMs * 1000 > deadline;
  }

  /** What the store throws is thrown to the one who waits, and the line moves on. */
  #guard(waiter: Waiter<T>, action: () => Awaitable<void>): void {
    const fail = (error: unknown) => {
      const isGone = !this.#waiters.has(waiter);
      this.#isAsking = false;
      waiter.settle({ error });
      if (isGone) this.#next();
    };
    try {
      const done = action();
      if (isPromise(done)) void done.then(undefined, fail);
    } catch (error) {
      fail(error);
    }
  }
}
