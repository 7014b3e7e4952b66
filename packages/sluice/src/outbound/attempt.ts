import { shown, wholeNumber } from "../algorithms/numbers.ts";
import type { Admission } from "./breaker/breaker.ts";
import type { ActualCost, Attempt, Call } from "./call.ts";
import type { Heard, HeardCall } from "./feedback/hearing.ts";
import type { ResponseHead } from "./feedback/statement.ts";
import type { Started } from "./scheduler/queued-call.ts";

/** An attempt that is being made: what the call is given, and what is known about it. One object, because each call has one. */
export class MadeAttempt<T> implements Attempt, HeardCall {
  readonly call: Call<T>;
  readonly attempt: number;
  readonly started: Started;
  readonly startedAt: number;
  readonly admission: Admission | undefined;
  readonly sequence: number;
  /** Aborts when it takes too long. */
  readonly timeout: AbortController | undefined;
  /** What was heard about it before its end. */
  heard: Heard | undefined;
  /** Units that it is charged. */
  charged: number;
  isOver = false;
  #controller: AbortController | undefined;

  constructor(
    call: Call<T>,
    started: Started,
    startedAt: number,
    admission: Admission | undefined,
    sequence: number,
    timeout: AbortController | undefined,
  ) {
    this.call = call;
    this.attempt = call.made;
    this.started = started;
    this.startedAt = startedAt;
    this.admission = admission;
    this.sequence = sequence;
    this.timeout = timeout;
    this.charged = call.cost;
  }

  get lane(): string {
    return this.call.lane;
  }

  get cost(): number {
    return this.call.cost;
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
        this.call.attempts.correct(this as MadeAttempt<unknown>, wholeNumber("cost", given.cost, 0));
      } else if (given.status !== undefined && given.headers !== undefined) {
        this.heard = this.call.attempts.hear(this as MadeAttempt<unknown>, actual as ResponseHead);
      } else {
        throw new TypeError(`Report { cost } or a response with status and headers, but it is ${shown(actual)}.`);
      }
    };
  }

  /** It has ended with a value. */
  returned(value: T): T | Promise<T> {
    return this.call.attempts.returned(this, value);
  }

  failed(error: unknown): T | Promise<T> {
    return this.call.attempts.failed(this, error);
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
    return [this.call.attempts.closing, this.call.signal, this.timeout?.signal];
  }
}
