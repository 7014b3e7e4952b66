import { wholeNumber } from "../../algorithms/numbers.ts";
import type { Clock } from "../../limiter/clock.ts";

export interface KeptValuesOptions {
  readonly clock: Clock;
  readonly maxEntries: number;
  readonly maxBytes: number;
}

interface Kept<V> {
  readonly value: V;
  readonly bytes: number;
  /** When it was put here and until when it stays, on the clock's elapsed time. */
  readonly since: number;
  readonly until: number;
}

/** Between two looks for what has ended, in milliseconds: so many values at a time are not worth a timer each. */
const LOOK_MS = 1_000;

/** Values that are kept for a while, within bounds: the one that nobody has asked for longest leaves first. */
export class KeptValues<V> {
  readonly #options: KeptValuesOptions;
  /** The one that was used last is the last. */
  readonly #entries = new Map<string, Kept<V>>();
  #bytes = 0;
  #cancelLook: (() => void) | undefined;

  constructor(options: KeptValuesOptions) {
    wholeNumber("maxEntries", options.maxEntries, 1);
    wholeNumber("maxBytes", options.maxBytes, 0);
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The value, unless it has ended or is older than `maxAgeMs`. */
  get(key: string, maxAgeMs: number): V | undefined {
    const kept = this.#entries.get(key);
    if (kept === undefined) return undefined;
    const now = this.#options.clock.elapsed();
    if (now >= kept.until) this.delete(key);
    if (now >= kept.until || now >= kept.since + maxAgeMs * 1000) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, kept);
    return kept.value;
  }

  /** What alone is larger than `maxBytes` is not kept. */
  set(key: string, value: V, ttlMs: number, bytes: number): void {
    const { clock, maxEntries, maxBytes } = this.#options;
    this.delete(key);
    if (bytes > maxBytes) return;
    const since = clock.elapsed();
    this.#entries.set(key, { value, bytes, since, until: since + ttlMs * 1000 });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries && this.#bytes <= maxBytes) break;
      this.delete(oldest);
    }
    this.#lookLater();
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  /** One timer for all, while there is something. It keeps no process alive. */
  #lookLater(): void {
    this.#cancelLook ??= this.#options.clock.after(LOOK_MS, () => this.#look(), true);
  }

  #look(): void {
    this.#cancelLook = undefined;
    const now = this.#options.clock.elapsed();
    for (const [key, { until }] of this.#entries) if (now >= until) this.delete(key);
    if (this.#entries.size > 0) this.#lookLater();
  }
}
