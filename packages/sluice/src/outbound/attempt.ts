import { shown, wholeNumber } from "../algorithms/numbers.ts";
import type { ActualCost, Attempt } from "./call.ts";
import type { ResponseHead } from "./feedback/statement.ts";

export interface AttemptOptions {
  readonly attempt: number;
  /** Any of them ends the attempt. */
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly onCost: (cost: number) => void;
  readonly onResponse: (response: ResponseHead) => void;
}

/** What a call is given for one attempt. */
export class AttemptContext implements Attempt {
  readonly #options: AttemptOptions;
  #controller: AbortController | undefined;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  get attempt(): number {
    return this.#options.attempt;
  }

  /** Made when somebody asks for it; a signal of its own, so that nothing that listens to it outlives the attempt. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      for (const signal of this.#options.signals) {
        if (signal?.aborted) this.#controller.abort(signal.reason);
        else signal?.addEventListener("abort", this.#abort, { once: true });
      }
    }
    return this.#controller.signal;
  }

  /** A function by itself: it may be taken out of the object. */
  readonly report = (actual: ActualCost | ResponseHead): void => {
    if (typeof actual === "object" && actual !== null) {
      if ("cost" in actual) {
        this.#options.onCost(wholeNumber("cost", actual.cost, 0));
        return;
      }
      if ("status" in actual && "headers" in actual) {
        this.#options.onResponse(actual);
        return;
      }
    }
    throw new TypeError(`Report { cost } or a response with status and headers, but it is ${shown(actual)}.`);
  };

  /** The attempt is over: its signal aborts no more. */
  end(): void {
    if (this.#controller === undefined) return;
    for (const signal of this.#options.signals) signal?.removeEventListener("abort", this.#abort);
  }

  readonly #abort = (event: Event): void => this.#controller!.abort((event.target as AbortSignal).reason);
}
