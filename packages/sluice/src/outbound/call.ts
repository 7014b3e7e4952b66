import type { MadeAttempt } from "./attempt.ts";
import { OutboundError } from "./errors.ts";
import type { Heard } from "./feedback/hearing.ts";
import type { ResponseHead } from "./feedback/statement.ts";
import type { Repeatable } from "./retry/may-repeat.ts";
import { QueuedCall, type Started } from "./scheduler/queued-call.ts";
import type { CallOptions } from "./upstream-options.ts";

/** What a call is given, each time that it is attempted. */
export interface Attempt {
  /** Aborts when the caller leaves, when the attempt takes too long, and when the upstream is closed. */
  readonly signal: AbortSignal;
  /** 1 for the first. */
  readonly attempt: number;
  /**
   * Tell what is known about this attempt only now: what it really cost (what was taken too much goes back, what was
   * taken too little is charged even beyond the limit), or a response of the upstream, for what it says about limits.
   */
  report(actual: ActualCost | ResponseHead): void;
}

export interface ActualCost {
  /** Whole units, 0 or more. */
  readonly cost: number;
}

/** What makes attempts of calls, and is told what comes of them and of calls that are not made. */
export interface Attempting {
  begin<T>(call: Call<T>, started: Started): Promise<T>;
  refused(error: unknown): void;
  /** An attempt has ended with this; another may follow. */
  returned<T>(attempt: MadeAttempt<T>, value: T): T | Promise<T>;
  failed<T>(attempt: MadeAttempt<T>, error: unknown): T | Promise<T>;
  /** An attempt cost so much. */
  correct(attempt: MadeAttempt<unknown>, cost: number): void;
  /** A response came, of which an attempt will not tell in its end. */
  hear(attempt: MadeAttempt<unknown>, response: ResponseHead): Heard;
  /** Aborts when the upstream is closed. */
  readonly closing: AbortSignal;
}

/** A call from its coming to its end, with all its attempts. */
export class Call<T> extends QueuedCall {
  readonly attempts: Attempting;
  readonly make: (attempt: Attempt) => T | PromiseLike<T>;
  readonly options: CallOptions;
  /** Attempts that were made. */
  made = 0;
  /** What tells whether it may be repeated, beside its options. */
  repeatable: Repeatable | undefined;
  /** What came of the last attempt, if the call waits for another. */
  otherwise: { readonly value: T } | { readonly error: unknown } | undefined;
  /** Settles the wait; an error as a promise that is rejected. One function takes less memory than two. */
  settle: ((outcome: T | PromiseLike<T>) => void) | undefined;

  constructor(
    attempts: Attempting,
    make: (attempt: Attempt) => T | PromiseLike<T>,
    options: CallOptions,
    lane: string,
    cost: number,
    rank: number,
    arrivedAt: number,
    deadline: number,
  ) {
    super(lane, cost, rank, arrivedAt, deadline, options.signal);
    this.attempts = attempts;
    this.make = make;
    this.options = options;
  }

  override start(started: Started): void {
    this.settle!(this.attempts.begin(this, started));
  }

  /** Where it only cannot be made *again*, what came of it before is worth more than that. */
  override refuse(error: unknown): void {
    this.attempts.refused(error);
    const { otherwise } = this;
    const isLost = error instanceof OutboundError && (error.reason === "cancelled" || error.reason === "closed");
    if (otherwise === undefined || isLost) this.settle!(Promise.reject(error));
    else this.settle!("error" in otherwise ? Promise.reject(otherwise.error) : otherwise.value);
  }
}
