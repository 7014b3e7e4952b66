import type { MadeAttempt } from "./attempt.ts";
import type { End } from "./end.ts";
import { OutboundError } from "./errors.ts";
import type { Heard } from "./feedback/hearing.ts";
import type { ResponseHead } from "./feedback/statement.ts";
import type { Repeatable } from "./retry/may-repeat.ts";
import { QueuedCall, type Units } from "./scheduler/queued-call.ts";
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

/** Makes the call, each time that it is attempted. */
export type Make<T> = (attempt: Attempt) => T | PromiseLike<T>;

/** What makes attempts of calls, and is told what comes of them and of calls that are not made. */
export interface Attempting {
  begin<T>(call: Call<T>, units: Units, takenAt?: number): Promise<T>;
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

/** What a call asks for, beside the function that makes it: one object for all calls that ask for nothing special. */
export interface CallTerms {
  readonly attempts: Attempting;
  readonly options: CallOptions;
  /** What tells whether it may be repeated, beside its options. */
  readonly repeatable: Repeatable;
  readonly lane: string;
  readonly cost: number;
}

/** A call that waits to start, or to be tried again: until its end, with all its attempts. */
export class Call<T> extends QueuedCall {
  readonly make: Make<T>;
  readonly terms: CallTerms;
  /** Attempts that were made. */
  made = 0;
  /** What came of the last attempt, if the call waits for another. */
  otherwise: End<T> | undefined;
  /** Settles the wait; an error as a promise that is rejected. One function takes less memory than two. */
  settle: ((outcome: T | PromiseLike<T>) => void) | undefined;

  constructor(make: Make<T>, terms: CallTerms, rank: number, arrivedAt: number, deadline: number) {
    super(terms.lane, terms.cost, rank, arrivedAt, deadline, terms.options.signal);
    this.make = make;
    this.terms = terms;
  }

  override start(units: Units, takenAt?: number): void {
    this.settle!(this.terms.attempts.begin(this, units, takenAt));
  }

  /** Where it only cannot be made *again*, what came of it before is worth more than that. */
  override refuse(error: unknown): void {
    this.terms.attempts.refused(error);
    const { otherwise } = this;
    const isLost = error instanceof OutboundError && (error.reason === "cancelled" || error.reason === "closed");
    if (otherwise === undefined || isLost) this.settle!(Promise.reject(error));
    else this.settle!("error" in otherwise ? Promise.reject(otherwise.error) : otherwise.value);
  }
}
