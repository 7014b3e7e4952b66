import type { DispatchController } from "./types.ts";

/**
 * The controller of a request that has not been made yet, and then of the one that is made.
 *
 * `fetch` and `request` of undici can be cancelled only once they have a controller: they get this one at once.
 */
export class HeldController implements DispatchController {
  #real: DispatchController | undefined;
  #reason: Error | null = null;
  #isAborted = false;
  #isPaused = false;
  readonly #left: (reason: Error) => void;

  /** @param left is told once when the request is not wanted any more */
  constructor(left: (reason: Error) => void) {
    this.#left = left;
  }

  /** The request is made. */
  follow(real: DispatchController): void {
    this.#real = real;
    if (this.#isAborted) real.abort(this.#reason!);
    else if (this.#isPaused) real.pause();
  }

  abort(reason: Error): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    this.#left(reason);
    this.#real?.abort(reason);
  }

  pause(): void {
    this.#isPaused = true;
    this.#real?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#real?.resume();
  }

  get aborted(): boolean {
    return this.#isAborted || (this.#real?.aborted ?? false);
  }

  get reason(): Error | null {
    return this.#reason ?? this.#real?.reason ?? null;
  }

  get paused(): boolean {
    return this.#real?.paused ?? this.#isPaused;
  }

  get rawHeaders(): unknown {
    return this.#real?.rawHeaders;
  }

  get rawTrailers(): unknown {
    return this.#real?.rawTrailers;
  }
}
