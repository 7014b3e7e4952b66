import { AsyncLocalStorage } from "node:async_hooks";
import { systemClock } from "../limiter/clock.ts";
import { chain } from "../limiter/reply.ts";
import { memoryStore } from "../stores/memory/memory.ts";
import {
  type CompatOptions,
  type Hit,
  type ReservedHit,
  type Soon,
  type WindowCounter,
  windowCounter,
} from "./window-counter.ts";

/** What a store for express-rate-limit or hono-rate-limiter can be told. */
export interface HitStoreOptions extends CompatOptions {
  /**
   * The greatest limit that the middleware's `limit` can give. Needed where that is a function, because the store is
   * not told what it gives. Requests that the middleware then refuses below this number are counted.
   */
  readonly maxLimit?: number;
}

/** The options of a middleware that its store needs. */
export interface HitStoreHost {
  readonly windowMs: number;
  readonly limit: number | ((...request: never[]) => unknown);
  readonly skipFailedRequests?: boolean;
  readonly skipSuccessfulRequests?: boolean;
}

/** What the middleware is told of a key. */
export interface HitInfo {
  /** Hits of the window, this one too. When refused: one more than the limit. */
  readonly totalHits: number;
  /** When refused: when a hit can pass. Else: when the key is as good as new. */
  readonly resetTime: Date;
}

/** A store as express-rate-limit and hono-rate-limiter ask for it. */
export interface HitStore {
  /** @throws TypeError or RangeError for a window or a limit that cannot be; all requests then fail as well. */
  init(host: HitStoreHost): void;
  /** Undefined for a key without hits. */
  get(key: string): Soon<HitInfo | undefined>;
  increment(key: string): Soon<HitInfo>;
  /** Undo the hit of this request: nothing goes back for one that was refused. Elsewhere: undo the newest. */
  decrement(key: string): Soon<void>;
  resetKey(key: string): Soon<void>;
  /** Only where the store is of its own: no shared store can list its keys. */
  resetAll?(): void;
  /** Lets go of a store of its own; one that was given is closed by whoever made it. */
  shutdown(): void;
  /** Whether no other instance can count the same keys: the store is of its own. */
  readonly localKeys: boolean;
  /** Tells apart limiters that may count the same key: name, limit and window. */
  readonly prefix: string;
}

/** The hit that a request has made, to be undone when the request is over. */
interface OwnHit {
  readonly key: string;
  reserved?: ReservedHit;
}

/** @param defaultName the name of the limits, unless the options give one */
export function hitStore(defaultName: string, options: HitStoreOptions): HitStore {
  const { store: given, name = defaultName, algorithm, maxLimit } = options;
  /** Which hit is to be undone is not said: only the key is. But a request undoes in the context that it has hit in. */
  const ownHit = new AsyncLocalStorage<OwnHit>();
  let counter: WindowCounter | undefined;
  let numbers: { readonly limit: number; readonly windowMs: number } | undefined;
  let mayUndo = false;
  let broken: Error | undefined;

  function init({ windowMs, limit, skipFailedRequests, skipSuccessfulRequests }: HitStoreHost): void {
    try {
      const stated = { windowMs, limit: limitOf(limit, maxLimit) };
      if (numbers !== undefined && (numbers.limit !== stated.limit || numbers.windowMs !== windowMs)) {
        throw new TypeError(
          `A store is for one limiter, but "${name}" was given to one of ${numbers.limit} per ${numbers.windowMs} ms and to ` +
            `one of ${stated.limit} per ${windowMs} ms. Make one for each with sluiceStore({ store }): they may share a store of Sluice.`,
        );
      }
      numbers = stated;
      counter ??= newCounter(stated);
      mayUndo ||= skipFailedRequests === true || skipSuccessfulRequests === true;
    } catch (error) {
      // express-rate-limit prints what is thrown here and goes on: a limiter with wrong numbers would let all pass.
      broken = error as Error;
      throw error;
    }
  }

  const newCounter = (stated: NonNullable<typeof numbers>): WindowCounter =>
    windowCounter({ ...stated, name, algorithm, store: given ?? memoryStore() });

  function made(): WindowCounter {
    if (broken !== undefined) throw broken;
    if (counter !== undefined) return counter;
    throw new TypeError(`The store "${name}" has no window yet: give it to the middleware as its store first.`);
  }

  function increment(key: string): Soon<HitInfo> {
    if (!mayUndo) return chain(made().hit(key), infoOf);
    const own: OwnHit = { key };
    ownHit.enterWith(own);
    return chain(made().reserve(key), (reserved) => {
      own.reserved = reserved;
      return infoOf(reserved.hit);
    });
  }

  function decrement(key: string): Soon<void> {
    const own = ownHit.getStore();
    return own?.key === key ? own.reserved?.release() : made().undo(key);
  }

  function resetAll(): void {
    if (numbers !== undefined) counter = newCounter(numbers);
  }

  return {
    init,
    increment,
    decrement,
    get: (key) => chain(made().look(key), (hit) => (hit.total === 0 ? undefined : infoOf(hit))),
    resetKey: (key) => made().reset(key),
    ...(given === undefined && { resetAll }),
    shutdown() {
      if (given === undefined) resetAll();
    },
    localKeys: given === undefined,
    get prefix() {
      return numbers === undefined ? `${name}/` : `${name}/${numbers.limit}/${numbers.windowMs}/`;
    },
  };
}

function limitOf(limit: HitStoreHost["limit"], maxLimit: number | undefined): number {
  if (typeof limit !== "function") return limit;
  if (maxLimit !== undefined) return maxLimit;
  throw new TypeError(
    "Where `limit` is a function, the store is not told what it gives: say the greatest that it can give as `maxLimit`.",
  );
}

/** Anew for each request: what one middleware is given, no other changes. */
const infoOf = ({ total, endsInMs }: Hit): HitInfo => ({
  totalHits: total,
  resetTime: new Date(systemClock.wall() / 1000 + endsInMs),
});
