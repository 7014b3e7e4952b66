import type { Outcome } from "./outcome.ts";

/** Makes the call. Its signal aborts when all who wait for it have left. */
export type Start<T> = (signal: AbortSignal) => PromiseLike<T>;

/** A call that is being made, and those who wait for it. */
export class Flight<T> {
  /** The longest time for which somebody wants the value to be kept. */
  ttlMs = 0;
  readonly #controller = new AbortController();
  #waiting = 0;
  #outcome!: Promise<Outcome<T>>;

  /** Nobody waits any more: whatever comes of it is for nobody. */
  get isAbandoned(): boolean {
    return this.#controller.signal.aborted;
  }

  /** @param outcomeOf makes what callers share of the value */
  start(
    start: Start<T>,
    outcomeOf: (value: T, controller: AbortController) => Outcome<T> | Promise<Outcome<T>>,
  ): Promise<Outcome<T>> {
    const fly = async () => outcomeOf(await start(this.#controller.signal), this.#controller);
    this.#outcome = fly();
    return this.#outcome;
  }

  /**
   * Wait for the outcome, or until the caller's own signal aborts.
   *
   * @param given called at once when the outcome is there: in the order in which callers came, and not for those who left
   */
  join<R>(signal: AbortSignal | undefined, given: (outcome: Outcome<T>) => R | PromiseLike<R>): Promise<R> {
    this.#waiting++;
    // Who has no signal stays to the end.
    if (signal === undefined) return this.#outcome.then(given);
    return new Promise((resolve, reject) => {
      let hasLeft = false;
      const leave = () => {
        hasLeft = true;
        reject(signal.reason);
        if (--this.#waiting === 0) this.#abandon(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      const settle = (outcome: Outcome<T>) => {
        if (hasLeft) return;
        signal.removeEventListener("abort", leave);
        try {
          resolve(given(outcome));
        } catch (error) {
          reject(error);
        }
      };
      this.#outcome.then(settle, (error: unknown) => {
        signal.removeEventListener("abort", leave);
        reject(error);
      });
    });
  }

  #abandon(reason: unknown): void {
    this.#controller.abort(reason);
  }
}
