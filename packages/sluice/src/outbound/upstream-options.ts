import { shown, wholeNumber } from "../algorithms/numbers.ts";
import { milliseconds } from "../limiter/duration.ts";
import { type BreakerOptions, breakerOptions } from "./breaker/options.ts";
import { type Anchor, anchorOf, type Limit, type LimitLike, rateTerms, remembersEnds, toLimits } from "./limits.ts";
import { type Pace, toPace } from "./pace.ts";
import { type Backoff, type BackoffOptions, createBackoff } from "./retry/backoff.ts";
import type { RetryBudgetOptions } from "./retry/retry-budget.ts";
import { PRIORITIES, type Priority } from "./scheduler/queued-call.ts";

/** How failed attempts are followed by others. */
export interface RetryOptions extends Omit<BackoffOptions, "random"> {
  /** Attempts at most, the first included. 1: no retries. @default 3 */
  readonly attempts?: number;
  /** Retries may make up a part of all calls. `false`: any part. */
  readonly budget?: RetryBudgetOptions | false;
}

export interface UpstreamBreakerOptions extends Omit<BreakerOptions, "onChange" | "random"> {
  /** What happens to calls while it is open: they fail at once, or wait as long as they may. @default "fail" */
  readonly whenOpen?: "fail" | "wait";
}

/** An upstream: an API that is called, and what it allows. */
export interface UpstreamOptions {
  /** What it allows: `"10/min"`, `["300/s", "1000000/day UTC"]`. A call takes from all of them, or from none. @default no limit */
  readonly limit?: LimitLike | readonly LimitLike[];
  /** Calls at once. @default no limit */
  readonly concurrency?: number;
  /** What windows are measured by, see `Anchor`. @default "start" */
  readonly anchor?: Anchor;
  /** How starts are spread out as a limit nears. @default not at all */
  readonly pace?: Pace;
  /** At most this many calls wait in this process; more are refused at once. @default 10_000 */
  readonly maxQueue?: number;
  /**
   * A call that cannot start within this time is refused, at once if that is known. In milliseconds. The default is below
   * the 60 s after which MCP clients give up (`DEFAULT_REQUEST_TIMEOUT_MSEC` of the SDK).
   *
   * @default 45_000
   */
  readonly maxWaitMs?: number;
  /** An attempt that takes longer is aborted, and has failed. In milliseconds. @default Infinity */
  readonly timeoutMs?: number;
  /**
   * How long after its grant a call may start, where a store has to be asked: more than an answer of the store takes, or
   * no call ever starts. What is kept of each window is longer by it. In milliseconds.
   *
   * @default a fiftieth of the shortest period, from 10 to 250
   */
  readonly graceMs?: number;
  /** `false`: no attempt is followed by another. */
  readonly retry?: RetryOptions | false;
  /** `false`: there is none. */
  readonly breaker?: UpstreamBreakerOptions | false;
  /** How old an answer may be that a call with a `key` gets from an equal one before it. In milliseconds. @default 0 */
  readonly coalesceMs?: number;
  /** What `upstream.fetch` calls. @default the `fetch` of the platform */
  readonly fetch?: typeof fetch;
}

/** What one call wants. */
export interface CallOptions {
  /** Calls of one tenant with the same key are equal: what one of them gets, all get. */
  readonly key?: string;
  /** @default that of the upstream */
  readonly coalesceMs?: number;
  /** @default "normal" */
  readonly priority?: Priority;
  /** Whole units that it takes of each limit. @default 1 */
  readonly cost?: number;
  /** For whom it is: tenants take turns, do not share answers, and have limits of their own where a limit is per tenant. */
  readonly tenant?: string;
  /** Part of the upstream that it goes to, for limits per endpoint. Endpoints take turns, too. */
  readonly endpoint?: string;
  readonly signal?: AbortSignal | undefined;
  /** @default that of the upstream */
  readonly maxWaitMs?: number;
  /** Whether doing it twice is as doing it once; without it the method tells, and a call of `run` has none. */
  readonly idempotent?: boolean;
  /** Attempts at most. @default that of the upstream */
  readonly attempts?: number;
  /** Told when the call has to wait. Where it stands can be asked from then on. */
  readonly onQueued?: (queued: QueuedStanding) => void;
}

/** What one call of `fetch` wants. */
export interface FetchOptions extends CallOptions {
  /** What is called. @default that of the upstream */
  readonly fetch?: typeof fetch | undefined;
}

/** Where a call stands that waits, each time that it is read. */
export interface QueuedStanding {
  /** False once it has started or left. True again while it waits for another attempt. */
  readonly isWaiting: boolean;
  /** Calls that go first. */
  readonly position: number;
  /** How long until it starts at the soonest, in milliseconds. */
  readonly startsInMs: number;
}

/** The options of an upstream, understood. */
export interface UpstreamSettings {
  readonly name: string;
  readonly limits: readonly Limit[];
  readonly concurrency: number | undefined;
  readonly pace: ReturnType<typeof toPace>;
  readonly maxQueue: number;
  readonly maxWaitMs: number;
  readonly timeoutMs: number;
  readonly graceMs: number | undefined;
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly budget: RetryBudgetOptions | false;
  readonly breaker: UpstreamBreakerOptions | false;
  readonly coalesceMs: number;
  readonly fetch: typeof fetch;
}

const NAME = /^[A-Za-z][\w.-]{0,63}$/;

/** @throws RangeError or TypeError for options that cannot be, with the name of the upstream. */
export function upstreamSettings(
  name: string,
  given: UpstreamOptions | LimitLike | readonly LimitLike[],
): UpstreamSettings {
  if (!NAME.test(name)) {
    throw new RangeError(
      `The name of an upstream is a letter, followed by up to 63 letters, digits, "_", "." or "-", but it is ${shown(name)}.`,
    );
  }
  const options: UpstreamOptions = isLimit(given) ? { limit: given } : given;
  checkKinds(name, options);
  const { anchor = "start", concurrency, maxQueue = 10_000, maxWaitMs = 45_000, timeoutMs = Infinity } = options;
  const { graceMs, retry = {}, breaker = {}, coalesceMs = 0 } = options;
  anchorOf(name, anchor);
  const limits = options.limit === undefined ? [] : toLimits(name, options.limit, anchor);
  if (concurrency !== undefined) wholeNumber(`concurrency of "${name}"`, concurrency, 1);
  if (maxQueue !== Infinity) wholeNumber(`maxQueue of "${name}"`, maxQueue, 0);
  milliseconds(`maxWaitMs of "${name}"`, maxWaitMs, 0);
  milliseconds(`timeoutMs of "${name}"`, timeoutMs, 1);
  if (graceMs !== undefined) milliseconds(`graceMs of "${name}"`, graceMs, 1);
  milliseconds(`coalesceMs of "${name}"`, coalesceMs, 0);
  if (timeoutMs === Infinity && limits.some((limit) => limit.anchor === "end" && !remembersEnds(limit))) {
    throw new RangeError(
      `"${name}" needs a timeoutMs: with anchor "end" and so large a limit, a call must not take longer than is known.`,
    );
  }
  const { attempts = 3, budget = {}, ...backoff } = retry === false ? { attempts: 1 } : retry;
  wholeNumber(`retry.attempts of "${name}"`, attempts, 1);
  if (breaker !== false) breakerOptions(breaker);
  return {
    name,
    limits,
    concurrency,
    pace: toPace(name, options.pace, rateTerms(limits).interval),
    maxQueue,
    maxWaitMs,
    timeoutMs,
    graceMs,
    attempts,
    backoff: createBackoff(backoff),
    budget,
    breaker,
    coalesceMs,
    fetch: options.fetch ?? ((...args) => fetch(...args)),
  };
}

const OPTIONS: Readonly<Record<keyof UpstreamOptions, true>> = {
  limit: true,
  concurrency: true,
  anchor: true,
  pace: true,
  maxQueue: true,
  maxWaitMs: true,
  timeoutMs: true,
  graceMs: true,
  retry: true,
  breaker: true,
  coalesceMs: true,
  fetch: true,
};

/** A limit that is misspelt would be no limit at all. @throws TypeError for options that are none, or of another kind. */
function checkKinds(name: string, options: UpstreamOptions): void {
  for (const option of Object.keys(options)) {
    if (Object.hasOwn(OPTIONS, option)) continue;
    const known = Object.keys(OPTIONS).join(", ");
    throw new TypeError(`Upstream "${name}" has no option "${option}". There are: ${known}.`);
  }
  const { retry = false, breaker = false }: UpstreamOptions = options;
  for (const [option, value, example] of [
    ["retry", retry, "attempts"],
    ["breaker", breaker, "minimumCalls"],
  ] as const) {
    if (value === false || (typeof value === "object" && value !== null)) continue;
    throw new TypeError(`${option} of "${name}" is { ${example}, … } or false, but it is ${shown(value)}.`);
  }
  const { whenOpen = "fail" } = breaker === false ? {} : breaker;
  if (whenOpen !== "fail" && whenOpen !== "wait") {
    throw new TypeError(`whenOpen of "${name}" is "fail" or "wait", but it is ${shown(whenOpen)}.`);
  }
  if (options.fetch !== undefined && typeof options.fetch !== "function") {
    throw new TypeError(`fetch of "${name}" is a function, but it is ${shown(options.fetch)}.`);
  }
}

function isLimit(given: unknown): given is LimitLike | readonly LimitLike[] {
  if (typeof given === "string" || Array.isArray(given)) return true;
  if (typeof given !== "object" || given === null) {
    throw new TypeError(
      `An upstream is a limit such as "10/min", a list of such, or { limit, … }, but it is ${shown(given)}.`,
    );
  }
  return "rate" in given || "algorithm" in given;
}

/** The place of a priority in their order. @throws TypeError for what is none. */
export function rankOf(priority: Priority): number {
  const rank = PRIORITIES.indexOf(priority);
  if (rank >= 0) return rank;
  throw new TypeError(`A priority is "high", "normal" or "low", but it is ${shown(priority)}.`);
}
