import type { Algorithm } from "../algorithms/algorithm.ts";
import { slidingWindow } from "../algorithms/sliding-window.ts";
import type { Decision } from "../limiter/decision.ts";
import type { Limiter } from "../limiter/limiter.ts";
import { perPeriod, quota } from "../limiter/quota.ts";
import { chain, type Reply, type Timing } from "../limiter/reply.ts";
import type { Store, WhenChanged } from "../limiter/store.ts";
import { createLimiter } from "../stores/create-limiter.ts";
import { StoreUnavailableError } from "../stores/errors.ts";

/** What the stores for all middlewares can be told. Window and limit are the middleware's own. */
export interface CompatOptions {
  /** Where the counts live: memory, SQLite, Redis, leases. @default a memory store of its own */
  readonly store?: Store;
  /** Limits with the same name, numbers and store share their counts. @default the name of the middleware */
  readonly name?: string;
  /**
   * How a window is counted: `slidingWindow`, `fixedWindow`, `tokenBucket`, or an algorithm of your own.
   *
   * @default slidingWindow
   */
  readonly algorithm?: (numbers: { readonly limit: number; readonly periodMs: number }) => Algorithm;
}

/** At once over a store in memory, else as a promise. */
export type Soon<T> = Reply<Timing, T>;

/** What a middleware is told about a key. */
export interface Hit {
  /** Hits of the window, with this one. When refused: one more than the limit, however often it was tried. */
  readonly total: number;
  readonly isRefused: boolean;
  /** Whether a block refuses; without a reservation: for longer than the window does. */
  readonly isBlocked: boolean;
  /** In milliseconds, rounded up. When refused: until a hit can pass; else until the key is as good as new. */
  readonly endsInMs: number;
}

/** A hit that may be undone. */
export interface ReservedHit {
  readonly hit: Hit;
  /** Hand back what just this hit was charged: nothing if it was refused, or if that has flowed back by itself. */
  release(): Soon<void>;
}

/** A limiter in the words that middlewares have in common: hits, and windows that end. */
export interface WindowCounter {
  /** Count a hit. One that is refused is not charged. @throws TypeError for a key that is empty or no text. */
  hit(key: string): Soon<Hit>;
  /** The same, for hits that may be undone. */
  reserve(key: string): Soon<ReservedHit>;
  /** What has been counted, without counting anything. */
  look(key: string): Soon<Hit>;
  /** Hand back the newest hit. */
  undo(key: string): Soon<void>;
  /** Forget the key, and lift a block. */
  reset(key: string): Soon<void>;
  /** Refuse the key for so many milliseconds. */
  block(key: string, forMs: number): Soon<void>;
}

/** What is needed for a counter. */
export interface WindowCounterOptions extends Required<Pick<CompatOptions, "store" | "name">> {
  readonly algorithm?: CompatOptions["algorithm"] | undefined;
  /** As a middleware states it: 0 refuses all, 2.5 is 2, `Infinity` is the greatest number there is. */
  readonly limit: number;
  readonly windowMs: number;
  /** Whether the counts go on under another limit; not with an algorithm that cannot. @default "fresh" */
  readonly whenChanged?: WhenChanged;
}

/** The quota by which a limiter refuses a key that is blocked. */
const BLOCK = "block";

/** @throws RangeError for numbers that cannot be. */
export function windowCounter(options: WindowCounterOptions): WindowCounter {
  const { name, store, windowMs, whenChanged = "fresh" } = options;
  const limit = Math.min(Number.MAX_SAFE_INTEGER, Math.floor(options.limit));
  if (limit < 1) return refusingAll(windowMs);
  const plain = perPeriod(limit, windowMs);
  const algorithm = (options.algorithm ?? slidingWindow)({ limit, periodMs: windowMs });
  const canCarry = algorithm.carries || algorithm.carrying !== undefined;
  const limiter: Limiter = createLimiter({
    name,
    store,
    whenChanged: canCarry ? whenChanged : "fresh",
    quota: quota({ ...plain, limit, algorithm }),
  });
  const heard = (decision: Decision): Hit => hitOf(limit, decision);

  return {
    hit: (key) => chain(limiter.consume(textOf(key)), heard),
    reserve: (key) =>
      chain(limiter.reserve(textOf(key)), ({ decision, decisions, release }) => {
        const isBlocked = decisions.some(({ allowed, quota: by }) => !allowed && by === BLOCK);
        return { hit: { ...heard(decision), isBlocked }, release };
      }),
    look: (key) => chain(limiter.peek(textOf(key), 0), (decision) => heard(decision)),
    undo: (key) => limiter.refund(textOf(key)),
    reset: (key) => limiter.reset(textOf(key)),
    block: (key, forMs) => limiter.block(textOf(key), forMs),
  };
}

function hitOf(limit: number, { allowed, degraded, quota: by, remaining, retryAfterMs, resetAfterMs }: Decision): Hit {
  if (allowed) {
    const total = Math.max(0, Math.min(limit, limit - remaining));
    return { total, isRefused: false, isBlocked: false, endsInMs: resetAfterMs };
  }
  // An outage is never a 429: the middleware is told that its store has failed, and does what it does then.
  if (degraded) throw new StoreUnavailableError(retryAfterMs);
  return { total: limit + 1, isRefused: true, isBlocked: by === BLOCK, endsInMs: retryAfterMs };
}

/** A limit of 0, which all middlewares have and no quota: nothing passes, and nothing needs to be counted. */
function refusingAll(windowMs: number): WindowCounter {
  const hit: Hit = { total: 1, isRefused: true, isBlocked: false, endsInMs: windowMs };
  const nothing = () => undefined;
  return {
    hit: () => hit,
    reserve: () => ({ hit, release: nothing }),
    look: () => ({ ...hit, total: 0, isRefused: false, endsInMs: 0 }),
    undo: nothing,
    reset: nothing,
    block: nothing,
  };
}

/** Middlewares take numbers for keys, too. What is neither a number nor a text the limiter refuses. */
const textOf = (key: string | number): string => (typeof key === "number" ? String(key) : key);
