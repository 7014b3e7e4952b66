import { MemoryStore } from "express-rate-limit";
import { MemoryStore as HonoMemoryStore } from "hono-rate-limiter";
import { TokenBucket } from "limiter";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { createLimiter, memoryStore, perPeriod } from "sluice";

/** A way to ask whether a key may pass. Whoever answers with a promise is awaited, as its users must. */
export type Check = (key: string) => unknown;

/** A limiter to measure: the same rate for each, so that all allow, or all refuse. */
export interface Contender {
  /** Whether its answer is a promise. */
  readonly isAsync: boolean;
  create(limit: number, periodMs: number, maxKeys?: number): Check;
  /** Whether the call was let through, if it did not throw: looked at outside of the measured loops. */
  isAllowed(answer: any, limit: number): boolean;
}

/** Room for every key of the largest scene: nobody measures the overflow key. */
const ENOUGH_KEYS = 2_000_000;

const sluice = (options: { burst?: boolean }): Contender => ({
  isAsync: false,
  create(limit, periodMs, maxKeys = ENOUGH_KEYS) {
    const quota = perPeriod(limit, periodMs, options.burst ? { burst: limit } : {});
    const limiter = createLimiter({ quota, store: memoryStore({ maxKeys }) });
    return (key) => limiter.consume(key);
  },
  isAllowed: (answer) => answer.allowed,
});

/** The least that a rate limiter can do: one number per key, one reading of the clock, one bit for an answer. */
const bare: Contender = {
  isAsync: false,
  create(limit, periodMs) {
    const now = performance.now.bind(performance);
    const arrivals = new Map<string, number>();
    const interval = periodMs / limit;
    const tolerance = periodMs;
    return (key) => {
      const at = now();
      const due = arrivals.get(key);
      const next = (due !== undefined && due > at ? due : at) + interval;
      if (next - at > tolerance) return false;
      arrivals.set(key, next);
      return true;
    };
  },
  isAllowed: (answer) => answer === true,
};

const rateLimiterFlexible: Contender = {
  isAsync: true,
  create(limit, periodMs) {
    const limiter = new RateLimiterMemory({ points: limit, duration: periodMs / 1000 });
    return (key) => limiter.consume(key);
  },
  isAllowed: () => true, // A refusal is thrown.
};

const expressRateLimit: Contender = {
  isAsync: true,
  create(_limit, periodMs) {
    const store = new MemoryStore();
    store.init({ windowMs: Math.min(periodMs, 2 ** 31 - 1) } as any);
    return (key) => store.increment(key);
  },
  isAllowed: (answer, limit) => answer.totalHits <= limit,
};

const honoRateLimiter: Contender = {
  isAsync: false,
  create(_limit, periodMs) {
    const store = new HonoMemoryStore();
    store.init({ windowMs: Math.min(periodMs, 2 ** 31 - 1) } as any);
    return (key) => store.increment(key);
  },
  isAllowed: (answer, limit) => answer.totalHits <= limit,
};

/** The package has no keys: a map of its buckets, as its users write it. */
const limiterPackage: Contender = {
  isAsync: false,
  create(limit, periodMs) {
    const buckets = new Map<string, TokenBucket>();
    return (key) => {
      let bucket = buckets.get(key);
      if (bucket === undefined) {
        bucket = new TokenBucket({ bucketSize: limit, tokensPerInterval: limit, interval: periodMs });
        bucket.content = limit;
        buckets.set(key, bucket);
      }
      return bucket.tryRemoveTokens(1);
    };
  },
  isAllowed: (answer) => answer === true,
};

export const contenders = {
  "bare GCRA": bare,
  "sluice, token bucket": sluice({ burst: true }),
  "sluice, sliding window": sluice({}),
  "rate-limiter-flexible": rateLimiterFlexible,
  "express-rate-limit, store": expressRateLimit,
  "hono-rate-limiter, store": honoRateLimiter,
  "limiter, TokenBucket": limiterPackage,
} satisfies Record<string, Contender>;

export type ContenderName = keyof typeof contenders;
