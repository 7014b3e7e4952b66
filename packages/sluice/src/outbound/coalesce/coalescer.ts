import { wholeNumber } from "../../algorithms/numbers.ts";
import { type Clock, systemClock } from "../../limiter/clock.ts";
import { milliseconds } from "../../limiter/duration.ts";
import { Flight, type Start } from "./flight.ts";
import { KeptValues } from "./kept-values.ts";
import { forAll, type Outcome } from "./outcome.ts";
import { isResponse, responseOutcome } from "./response-outcome.ts";

export interface CoalescerOptions {
  /** Times how long values are kept. @default the monotonic clock of this process */
  readonly clock?: Clock;
  /** Values to keep at most. @default 1000 */
  readonly maxEntries?: number;
  /** Bytes to keep at most: of response bodies, and of what `sizeOf` knows the size. @default 32 MiB */
  readonly maxBytes?: number;
  /** Responses with longer bodies are not shared. In bytes. @default 1 MiB */
  readonly maxBodyBytes?: number;
  /** Bytes that a value takes, as a whole number. @default 0, and the length of the body for a Response */
  readonly sizeOf?: (value: unknown) => number;
}

interface CoalesceOptions<T = unknown> {
  /**
   * How old a value this caller will take, counted from when it was there, and for how long to keep what comes of
   * this call. In milliseconds. @default 0: only calls that are being made are shared
   */
  readonly ttlMs?: number | undefined;
  /** When it aborts this caller leaves at once, with its reason. Others are not touched. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Makes a value of his own for this caller, who will change it.
   *
   * @default the same value for everybody; a Response of his own for each
   */
  readonly clone?: ((value: T) => T) | undefined;
}

export interface CoalescerStats {
  /** Calls that are being made now. */
  readonly running: number;
  /** Values that are kept now, and their size as far as it is known. */
  readonly kept: number;
  readonly bytes: number;
  /** Calls that were made; callers that joined one; callers that got a value that was kept. */
  readonly started: number;
  readonly joined: number;
  readonly hits: number;
}

/** Makes one call out of equal calls. */
export interface Coalescer {
  /**
   * Make the call, join the equal call that is being made, or take the value that was kept.
   *
   * - The call's signal aborts when all who wait for it have left. Whoever comes then starts a new call.
   * - An error goes to all who wait, and is not kept. Of a Response, so does a status of 400 or more.
   * - A Response is handed over when its body is in memory. If it is longer than `maxBodyBytes`, or a stream by its
   *   type, one caller gets it as it comes in, and the others make their own calls.
   *
   * @param key equal for equal calls: see {@link coalesceKey}
   * @param start must not run the same key again: it would wait for itself
   */
  run<T>(key: string, options: CoalesceOptions<T>, start: Start<T>): Promise<T>;
  /** Forget what is kept. Calls that are being made go on. */
  clear(): void;
  stats(): CoalescerStats;
}

const MIB = 2 ** 20;

/**
 * One call for those who ask for the same at the same time, and for a short while after it.
 *
 * What is kept has bounds; what runs has none of its own, because for each running call somebody waits.
 *
 * @throws RangeError for bounds that are not whole numbers.
 */
export function createCoalescer(options: CoalescerOptions = {}): Coalescer {
  const { clock = systemClock, maxEntries = 1000, maxBytes = 32 * MIB, maxBodyBytes = MIB, sizeOf } = options;
  wholeNumber("maxBodyBytes", maxBodyBytes, 0);
  const flights = new Map<string, Flight<unknown>>();
  const kept = new KeptValues<Outcome<unknown>>({ clock, maxEntries, maxBytes });
  const counts = { started: 0, joined: 0, hits: 0 };

  function outcomeOf(value: unknown, controller: AbortController): Outcome<unknown> | Promise<Outcome<unknown>> {
    if (isResponse(value)) return responseOutcome(value, { maxBodyBytes, controller });
    return forAll(value, sizeOf === undefined ? 0 : wholeNumber("sizeOf(value)", sizeOf(value), 0));
  }

  function launch(key: string, start: Start<unknown>): Flight<unknown> {
    counts.started++;
    const flight = new Flight<unknown>();
    const landed = () => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    flights.set(key, flight);
    // Before any caller hears of it: who asks again then does not join what is over.
    flight.start(start, outcomeOf).then((outcome) => {
      landed();
      if (flight.ttlMs > 0 && outcome.isKeepable && !flight.isAbandoned) {
        kept.set(key, outcome, flight.ttlMs, outcome.bytes);
      }
    }, landed);
    return flight;
  }

  function flightFor(key: string, start: Start<unknown>): Flight<unknown> {
    const flight = flights.get(key);
    if (flight === undefined || flight.isAbandoned) return launch(key, start);
    counts.joined++;
    return flight;
  }

  function run<T>(key: string, { ttlMs = 0, signal, clone }: CoalesceOptions<T>, start: Start<T>): Promise<T> {
    milliseconds("ttlMs", ttlMs, 0);
    if (signal?.aborted) return Promise.reject(signal.reason);

    const given = (outcome: Outcome<unknown>): T | PromiseLike<T> => {
      if (outcome.isGone) {
        counts.started++;
        return start(signal ?? new AbortController().signal);
      }
      const value = outcome.give(signal) as T;
      return clone === undefined ? value : clone(value);
    };

    const value = ttlMs > 0 ? kept.get(key, ttlMs) : undefined;
    if (value !== undefined) {
      counts.hits++;
      return new Promise((resolve) => resolve(given(value)));
    }
    const flight = flightFor(key, start as Start<unknown>);
    flight.ttlMs = Math.max(flight.ttlMs, ttlMs);
    return flight.join(signal, given);
  }

  return {
    run,
    clear: () => kept.clear(),
    stats: () => ({ running: flights.size, kept: kept.size, bytes: kept.bytes, ...counts }),
  };
}
