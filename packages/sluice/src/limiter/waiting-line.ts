import type { Clock } from "./clock.ts";
import type { Decision } from "./decision.ts";
import { RateLimitError } from "./errors.ts";
import { chain, guarded } from "./reply.ts";
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
  /** Called once, when nobody waits any more: the line is over, and nobody may join it. */
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
  /** The deadline is here: the attempt that is being made, or made now, is the last one. */
  isDue: boolean;
  settle(outcome: { value: T } | { error: unknown }): void;
}

/** Those who wait for units of one key: first come, first served. */
export class WaitingLine<T> {
  readonly #options: WaitingLineOptions<T>;
  /** In order of arrival; the first one asks, the others stand behind. */
  readonly #waiters = new Set<Waiter<T>>();
  #isAsking = false;
  #isOver = false;
  /** Units came back while the first one was asking: he may have asked too early. */
  #isWoken = false;
  #cancelTimer: () => void = () => {};

  constructor(options: WaitingLineOptions<T>) {
    this.#options = options;
  }

  /** @throws RateLimitError at once when the units cannot be there in time, with the exact time in its decision. */
  join({ cost = 1, maxWaitMs = Infinity, signal }: WaitOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const { clock, maxWaiting } = this.#options;
      const leave = () => waiter.settle({ error: signal!.reason });
      const isTimed = maxWaitMs > 0 && maxWaitMs < Infinity;
      const cancelDeadline = isTimed ? clock.after(maxWaitMs, () => this.#due(waiter)) : () => {};
      const waiter: Waiter<T> = {
        cost,
        deadline: clock.elapsed() + maxWaitMs * 1000,
        isDue: maxWaitMs === 0,
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
      else if (waiter.isDue) this.#due(waiter);
      else if (this.#options.isExact) this.#foresee(waiter, (decision) => this.#isTooLate(waiter, decision));
    });
  }

  /** Units may have come back sooner than foreseen: ask again. */
  wake(): void {
    if (this.#isAsking) this.#isWoken = true;
    else this.#next();
  }

  get #first(): Waiter<T> | undefined {
    return this.#waiters.values().next().value;
  }

  /**
   * What comes back at the very deadline is in time: the first in line tries once more. The others
   * stay while the line moves, and leave when the first one has to wait.
   */
  #due(waiter: Waiter<T>): void {
    waiter.isDue = true;
    if (this.#first === waiter) this.#next();
    else if (!this.#isAsking) this.#refuse(waiter);
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
    guarded(
      () =>
        chain(this.#options.foresee(waiter.cost, ahead), (decision) => {
          if (isRefused(decision)) waiter.settle({ error: new RateLimitError({ ...decision, allowed: false }) });
        }),
      (error) => waiter.settle({ error }),
    );
  }

  /** Ask for the first in line, unless that is being done. */
  #next(): void {
    if (this.#isAsking || this.#isOver) return;
    this.#cancelTimer();
    const first = this.#first;
    if (first !== undefined) {
      this.#ask(first);
    } else {
      this.#isOver = true;
      this.#options.onEmpty();
    }
  }

  #ask(waiter: Waiter<T>): void {
    this.#isAsking = true;
    this.#isWoken = false;
    guarded(
      () => chain(this.#options.attempt(waiter.cost), (attempt) => this.#answer(waiter, attempt)),
      (error) => {
        this.#isAsking = false;
        if (this.#waiters.has(waiter)) waiter.settle({ error });
        else this.#next();
      },
    );
  }

  #answer(waiter: Waiter<T>, { decision, value, undo }: Attempt<T>): Awaitable<void> {
    if (!this.#waiters.has(waiter)) {
      return chain(decision.allowed ? (undo() as Awaitable<unknown>) : undefined, () => {
        this.#isAsking = false;
        this.#next();
      });
    }
    this.#isAsking = false;
    if (decision.allowed) {
      waiter.settle({ value });
    } else if (this.#isWoken) {
      this.#next();
    } else if (this.#isTooLate(waiter, decision)) {
      waiter.settle({ error: new RateLimitError(decision) });
    } else {
      this.#cancelTimer = this.#options.clock.after(decision.retryAfterMs, () => this.#next());
      for (const other of this.#waiters) if (other.isDue) this.#refuse(other);
    }
  }

  #isTooLate({ deadline, isDue }: Waiter<T>, { retryAfterMs }: Decision): boolean {
    if (isDue || retryAfterMs === Infinity) return true;
    return this.#options.isExact && this.#options.clock.elapsed() + retryAfterMs * 1000 > deadline;
  }
}
