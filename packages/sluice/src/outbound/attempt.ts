import { shown, wholeNumber } from "../algorithms/numbers.ts";
import type { Admission } from "./breaker/breaker.ts";
import type { ActualCost, Attempt, Attempting, Call, Make } from "./call.ts";
import type { Heard, HeardCall } from "./feedback/hearing.ts";
import type { ResponseHead } from "./feedback/statement.ts";
import type { Repeatable } from "./retry/may-repeat.ts";
import type { Line } from "./scheduler/line.ts";
import { type Started, startedOf, type Units } from "./scheduler/queued-call.ts";
import type { CallOptions } from "./upstream-options.ts";

/**
 * An attempt that is being made: what the call is given, and what is known about it. Nearly all calls are this one
 * object: they start when they come, and are not tried again.
 */
export class MadeAttempt<T> implements Attempt, HeardCall {
  readonly attempts: Attempting;
  readonly make: Make<T>;
  readonly options: CallOptions;
  readonly repeatable: Repeatable;
  readonly lane: string;
  readonly cost: number;
  /** The call, if it has waited. */
  readonly call: Call<T> | undefined;
  readonly attempt: number;
  startedAt: number;
  readonly admission: Admission | undefined;
  readonly sequence: number;
  /** Aborts when it takes too long. */
  timeout: AbortController | undefined;
  /** What was heard about it before its end. */
  heard: Heard | undefined;
  /** Units that it is charged. */
  charged: number;
  isOver = false;
  #units: Units;
  #controller: AbortController | undefined;

  constructor(
    attempts: Attempting,
    make: Make<T>,
    options: CallOptions,
    repeatable: Repeatable,
    lane: string,
    cost: number,
    call: Call<T> | undefined,
    units: Units,
    startedAt: number,
    admission: Admission | undefined,
    sequence: number,
  ) {
    this.attempts = attempts;
    this.make = make;
    this.options = options;
    this.repeatable = repeatable;
    this.lane = lane;
    this.cost = cost;
    this.call = call;
    this.attempt = call === undefined ? 1 : call.made;
    this.#units = units;
    this.startedAt = startedAt;
    this.admission = admission;
    this.sequence = sequence;
    this.charged = cost;
  }

  /**
   * It starts now. A process may stand still at any moment, and most often does where memory is taken: units that were
   * taken before that count from now on.
   */
  begin({ clock, starts }: Line): void {
    const takenAt = this.startedAt;
    this.startedAt = clock.elapsed();
    if (this.startedAt - takenAt > (starts.mayLag ?? Infinity)) this.#units = starts.restamp!(this);
  }

  get started(): Started {
    return startedOf(this.#units);
  }

  /** Made when somebody asks for it; a signal of its own, so that nothing that listens to it outlives the attempt. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      for (const signal of this.#sources) {
        if (signal?.aborted) this.#controller.abort(signal.reason);
        else signal?.addEventListener("abort", this, { once: true });
      }
    }
    return this.#controller.signal;
  }

  /** A function that may be taken out of the object. */
  get report(): (actual: ActualCost | ResponseHead) => void {
    return (actual) => {
      const given: Partial<ActualCost & ResponseHead> = typeof actual === "object" && actual !== null ? actual : {};
      if (given.cost !== undefined) {
        this.attempts.correct(this as MadeAttempt<unknown>, wholeNumber("cost", given.cost, 0));
      } else if (given.status !== undefined && given.headers !== undefined) {
        this.heard = this.attempts.hear(this as MadeAttempt<unknown>, actual as ResponseHead);
      } else {
        throw new TypeError(`Report { cost } or a response with status and headers, but it is ${shown(actual)}.`);
      }
    };
  }

  /** It has ended with a value. */
  returned(value: T): T | Promise<T> {
    return this.attempts.returned(this, value);
  }

  failed(error: unknown): T | Promise<T> {
    return this.attempts.failed(this, error);
  }

  /** One of its signals aborted. */
  handleEvent({ target }: Event): void {
    this.#controller!.abort((target as AbortSignal).reason);
  }

  /** The attempt is over: its signal aborts no more. */
  end(): void {
    this.isOver = true;
    if (this.#controller === undefined) return;
    for (const signal of this.#sources) signal?.removeEventListener("abort", this);
  }

  get #sources(): readonly (AbortSignal | undefined)[] {
    return [this.attempts.closing, this.options.signal, this.timeout?.signal];
  }
}
