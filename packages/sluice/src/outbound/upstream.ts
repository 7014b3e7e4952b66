import { shown, wholeNumber } from "../algorithms/numbers.ts";
import { milliseconds } from "../limiter/duration.ts";
import { isolated } from "../limiter/events.ts";
import { Attempts } from "./attempts.ts";
import type { BreakerState } from "./breaker/breaker.ts";
import type { Attempt, Call, CallTerms, Make } from "./call.ts";
import { coalesceKey } from "./coalesce/coalesce-key.ts";
import type { CoalescerStats } from "./coalesce/coalescer.ts";
import { OutboundError } from "./errors.ts";
import type { OutboundEvent } from "./events.ts";
import { type FetchInput, fetchCall } from "./fetch-call.ts";
import { laneOf } from "./lane-of.ts";
import type { Repeatable } from "./retry/may-repeat.ts";
import type { QueuedCall } from "./scheduler/queued-call.ts";
import type { SharedUpstream } from "./shared-upstream.ts";
import { type CallOptions, type FetchOptions, rankOf, type UpstreamSettings } from "./upstream-options.ts";

/** An upstream, as people look at it. */
export interface UpstreamStats {
  /** Calls of this process that wait, and that are being made. */
  readonly waiting: number;
  readonly running: number;
  /** Since the start: attempts that were started, those of them that were retries, and calls that were refused. */
  readonly started: number;
  readonly retried: number;
  readonly refused: number;
  /** For how long the upstream wants to be left alone. In milliseconds. */
  readonly pausedForMs: number;
  /** The part of the full rate that is used, after refusals that gave no time. */
  readonly rate: number;
  /** How long until a call can start that comes now. In milliseconds. */
  readonly startsInMs: number;
  readonly breaker?: BreakerState;
  readonly coalesced: CoalescerStats;
}

export interface CloseOptions {
  /** Calls that wait may still start, and calls that run may end, within this time; then they are refused and aborted. In milliseconds. @default 0 */
  readonly drainMs?: number;
}

/** An API with limits of its own, to be called inside them. */
export interface Upstream {
  readonly name: string;
  /** How long calls wait that say nothing else, in milliseconds. */
  readonly maxWaitMs: number;
  /** What `fetch` calls, unless a call names another. */
  readonly fetcher: typeof fetch;
  /**
   * Make a call as soon as all limits allow it.
   *
   * What the call returns or throws is passed on, after retries where they may help. A response of 400 or more that is
   * returned counts as a failure as well as an error that has one.
   *
   * @param call may be called several times: each is an attempt, and takes its own units
   * @throws OutboundError when the call was not made
   */
  run<T>(call: (attempt: Attempt) => T | PromiseLike<T>, options?: CallOptions): Promise<T>;
  /**
   * `fetch` inside the limits. Only requests that may be repeated are: by their method (RFC 9110 §9.2.2), or with an
   * `Idempotency-Key`, or if nothing was sent, or on 429. Requests with the same `key` are one, and each gets a Response of its own.
   *
   * @throws OutboundError when the request was not made
   */
  fetch(input: FetchInput, init?: RequestInit, options?: FetchOptions): Promise<Response>;
  stats(): UpstreamStats;
  /** Make no more calls. */
  close(options?: CloseOptions): Promise<void>;
}

const NO_OPTIONS: FetchOptions = {};
/** Nothing is known of what a call of `run` does. */
const UNKNOWN: Repeatable = {};

/** @param announce is told of what happens, if somebody listens */
export function createUpstream(
  settings: UpstreamSettings,
  shared: SharedUpstream,
  announce: ((event: OutboundEvent) => void) | undefined,
): Upstream {
  const { name, maxQueue } = settings;
  const { line, coalescer } = shared;
  const { clock } = line;
  const attempts = new Attempts(settings, shared, announce);
  const commonLane = laneOf(undefined, undefined);
  const plain: CallTerms = { attempts, options: NO_OPTIONS, repeatable: UNKNOWN, lane: commonLane, cost: 1 };
  const stopListening = shared.listen({
    breaker(change) {
      announce?.({ upstream: name, type: "breaker", ...change });
      attempts.breakerChanged(change);
    },
    storeFailed: (error) => announce?.({ upstream: name, type: "store-failed", error }),
  });
  let isClosed = false;

  function termsOf(options: CallOptions, repeatable: Repeatable): CallTerms {
    if (options === NO_OPTIONS && repeatable === UNKNOWN) return plain;
    const { tenant, endpoint, cost = 1 } = options;
    const lane = tenant === undefined && endpoint === undefined ? commonLane : laneOf(tenant, endpoint);
    return { attempts, options, repeatable, lane, cost };
  }

  function begin<T>(make: Make<T>, options: CallOptions, repeatable: Repeatable): Promise<T> {
    attempts.came();
    try {
      if (isClosed) throw line.error("closed");
      if (options.signal?.aborted) throw line.error("cancelled", { cause: options.signal.reason });
      checkCall(make, options);
      attempts.refuseIfOpen();
      const terms = termsOf(options, repeatable);
      const now = clock.elapsed();
      const units = line.tryStart(terms.lane, terms.cost, now);
      if (units !== undefined) return attempts.attempt(make, terms, units, now, undefined);
      return enter(attempts.callOf(make, terms, now));
    } catch (error) {
      attempts.refused(error);
      return Promise.reject(error);
    }
  }

  function enter<T>(call: Call<T>): Promise<T> {
    const ended = new Promise<T>((resolve) => {
      call.settle = resolve;
    });
    line.enter(call, maxQueue);
    if (call.isWaiting && (announce !== undefined || call.terms.options.onQueued !== undefined))
      tellQueued(call, call.terms.options);
    return ended;
  }

  function tellQueued(call: QueuedCall, { onQueued }: CallOptions): void {
    const standing = {
      get isWaiting() {
        return call.isWaiting;
      },
      get position() {
        return line.standing(call).position;
      },
      get startsInMs() {
        return line.standing(call).startsInMs;
      },
    };
    if (announce !== undefined) announce({ upstream: name, type: "queued", ...line.newest(call) });
    if (onQueued !== undefined) isolated("onQueued", onQueued)(standing);
  }

  function run<T>(make: Make<T>, options: CallOptions, repeatable: Repeatable): Promise<T> {
    const { key, tenant, signal, coalesceMs = settings.coalesceMs } = options;
    if (key === undefined) return begin(make, options, repeatable);
    try {
      const whole = coalesceKey({ upstream: name, tenant, key });
      return coalescer
        .run<T>(whole, { ttlMs: coalesceMs, signal }, (together) =>
          begin(make, { ...options, signal: together }, repeatable),
        )
        .catch((error: unknown) => {
          if (signal?.aborted && error === signal.reason) throw line.error("cancelled", { cause: error });
          // Another user of this upstream had made the call for both, and has closed it.
          if (!isClosed && error instanceof OutboundError && error.reason === "closed") {
            return run(make, options, repeatable);
          }
          throw error;
        });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  return {
    name,
    maxWaitMs: settings.maxWaitMs,
    fetcher: settings.fetch,
    run: (make, options = NO_OPTIONS) => run(make, options, UNKNOWN),
    fetch(input, init, options = NO_OPTIONS) {
      try {
        const { make, repeatable, signal, isOnce } = fetchCall(options.fetch ?? settings.fetch, input, init);
        const wanted = isOnce ? { ...options, attempts: 1 } : options;
        if (signal === undefined) return run(make, wanted, repeatable);
        const both = options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]);
        return run(make, { ...wanted, signal: both }, repeatable);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    stats() {
      const now = clock.elapsed();
      const { starts } = line;
      return {
        waiting: line.waiting,
        running: line.running,
        ...attempts.counts,
        pausedForMs: Math.max(0, Math.ceil((starts.pausedUntil - now) / 1000)),
        rate: starts.rate,
        startsInMs: Math.ceil(starts.soonest(commonLane, 1, line.waiting + starts.aheadElsewhere) / 1000),
        ...(shared.breaker && { breaker: shared.breaker.state(now / 1000) }),
        coalesced: coalescer.stats(),
      };
    },
    async close({ drainMs = 0 } = {}) {
      milliseconds("drainMs", drainMs, 0);
      if (isClosed) return;
      isClosed = true;
      if (drainMs > 0) await attempts.drained(drainMs);
      attempts.abort();
      stopListening();
      await shared.leave();
    },
  };
}

/** @throws TypeError, RangeError for options that cannot be. */
function checkCall(make: unknown, { priority, cost, maxWaitMs, attempts }: CallOptions): void {
  if (typeof make !== "function") {
    throw new TypeError(`run needs a function that makes the call, but it is ${shown(make)}.`);
  }
  if (priority !== undefined) rankOf(priority);
  if (cost !== undefined) wholeNumber("cost", cost, 0);
  if (maxWaitMs !== undefined) milliseconds("maxWaitMs", maxWaitMs, 0);
  if (attempts !== undefined) wholeNumber("attempts", attempts, 1);
}
