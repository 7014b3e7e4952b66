import type { QueuedCall } from "./queued-call.ts";

const ONCE = { once: true };

/** The calls that wait and have a signal, and so may leave at any time. */
export class Leavers {
  /** Of nearly all signals there is one call. */
  readonly #bySignal = new Map<AbortSignal, QueuedCall | Set<QueuedCall>>();
  readonly #leave: (calls: readonly QueuedCall[], reason: unknown) => void;

  /** @param leave is told which calls leave together, and why */
  constructor(leave: (calls: readonly QueuedCall[], reason: unknown) => void) {
    this.#leave = leave;
  }

  add(call: QueuedCall): void {
    const { signal } = call;
    if (signal === undefined) return;
    const watched = this.#bySignal.get(signal);
    if (watched instanceof Set) watched.add(call);
    else if (watched !== undefined) this.#bySignal.set(signal, new Set([watched, call]));
    else {
      this.#bySignal.set(signal, call);
      // Of each signal it listens once for all its calls: to remove one listener of many takes long.
      signal.addEventListener("abort", this, ONCE);
    }
  }

  delete(call: QueuedCall): void {
    const { signal } = call;
    const watched = signal && this.#bySignal.get(signal);
    if (watched === undefined) return;
    if (watched instanceof Set) {
      watched.delete(call);
      if (watched.size > 0) return;
    }
    this.#bySignal.delete(signal!);
    signal!.removeEventListener("abort", this);
  }

  handleEvent({ target }: Event): void {
    const signal = target as AbortSignal;
    const watched = this.#bySignal.get(signal)!;
    this.#bySignal.delete(signal);
    this.#leave(watched instanceof Set ? [...watched] : [watched], signal.reason);
  }
}
