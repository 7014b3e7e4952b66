import { shown, wholeNumber } from "../algorithms/numbers.ts";
import type { Admission } from "./breaker/breaker.ts";
import type { ActualCost, Attempt, Call, CallTerms, Make } from "./call.ts";
import type { Heard, HeardCall } from "./feedback/hearing.ts";
import type { ResponseHead } from "./feedback/statement.ts";
import type { Line } from "./scheduler/line.ts";
import { type Started, startedOf, type Units } from "./scheduler/queued-call.ts";

/** What few attempts have. */
interface Extras {
  /** Where it is not the first. */
  attempt?: number;
  controller?: AbortController;
  timeout?: AbortController;
  heard?: Heard;
  charged?: number;
}

/**
 * An attempt that is being made: what the call is given, and what is known about it. Nearly all calls are this one
 * object, which is as small as it can be: they start when they come, and are not tried again.
 */
export class MadeAttempt<T> implements Attempt, HeardCall {
  readonly make: Make<T>;
  readonly terms: CallTerms;
  /** The call, if it has waited. */
  readonly call: Call<T> | undefined;
  startedAt: number;
  readonly admission: Admission | undefined;
  readonly sequence: number;
  isOver = false;
  #units: Units;
  #extras: Extras | undefined;

  constructor(
    make: Make<T>,
    terms: CallTerms,
    call: Call<T> | undefined,
    units: Units,
    startedAt: number,
    admission: Admission | undefined,
    sequence: number,
  ) {
    this.make = make;
    this.terms = terms;
    this.call = call;
    this.#units = units;
    this.startedAt = startedAt;
    this.admission = admission;
    this.sequence = sequence;
    this.#extras = call === undefined || call.made === 1 ? undefined : { attempt: call.made };
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

  get attempt(): number {
    return this.#extras?.attempt ?? 1;
  }

  get lane(): string {
    return this.terms.lane;
  }

  get cost(): number {
    return this.terms.cost;
  }

  /** Units that it is charged. */
  get charged(): number {
    return this.#extras?.charged ?? this.terms.cost;
  }

  set charged(units: number) {
    this.#own.charged = units;
  }

  /** What was heard about it before its end. */
  get heard(): Heard | undefined {
    return this.#extras?.heard;
  }

  set heard(heard: Heard) {
    this.#own.heard = heard;
  }

  /** Aborts when it takes too long. */
  get timeout(): AbortController | undefined {
    return this.#extras?.timeout;
  }

  set timeout(timeout: AbortController) {
    this.#own.timeout = timeout;
  }

  get started(): Started {
    return startedOf(this.#units);
  }

  /** Made when somebody asks for it; a signal of its own, so that nothing that listens to it outlives the attempt. */
  get signal(): AbortSignal {
    const own = this.#own;
    if (own.controller === undefined) {
      own.controller = new AbortController();
      for (const signal of this.#sources) {
        if (signal?.aborted) own.controller.abort(signal.reason);
        else signal?.addEventListener("abort", this, { once: true });
      }
    }
    return own.controller.signal;
  }

  /** A function that may be taken out of the object. */
  get report(): (actual: ActualCost | ResponseHead) => void {
    const { attempts } = this.terms;
    return (actual) => {
      const given: Partial<ActualCost & ResponseHead> = typeof actual === "object" && actual !== null ? actual : {};
      if (given.cost !== undefined) {
        attempts.correct(this as MadeAttempt<unknown>, wholeNumber("cost", given.cost, 0));
      } else if (given.status !== undefined && given.headers !== undefined) {
        this.heard = attempts.hear(this as MadeAttempt<unknown>, actual as ResponseHead);
      } else {
        throw new TypeError(`Report { cost } or a response with status and headers, but it is ${shown(actual)}.`);
      }
    };
  }

  /** It has ended with a value. */
  returned(value: T): T | Promise<T> {
    return this.terms.attempts.returned(this, value);
  }

  failed(error: unknown): T | Promise<T> {
    return this.terms.attempts.failed(this, error);
  }

  /** One of its signals aborted. */
  handleEvent({ target }: Event): void {
    this.#own.controller!.abort((target as AbortSignal).reason);
  }

  /** The attempt is over: its signal aborts no more. */
  end(): void {
    this.isOver = true;
    if (this.#extras?.controller === undefined) return;
    for (const signal of this.#sources) signal?.removeEventListener("abort", this);
  }

  get #own(): Extras {
    this.#extras ??= {};
    return this.#extras;
  }

  get #sources(): readonly (AbortSignal | undefined)[] {
    const { attempts, options } = this.terms;
    return [attempts.closing, options.signal, this.timeout?.signal];
  }
}
