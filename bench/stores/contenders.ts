import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { createLimiter, leased, perPeriod, type Store } from "sluice";
import { redisStore } from "sluice/redis";
import { sqliteStore } from "sluice/sqlite";

/** A limiter over a shared store. */
export interface Contender {
  /** As its users call it. */
  check(key: string): Promise<unknown>;
  /** Whether what it answered, or threw, let the call through. */
  isAllowed(answer: any): boolean;
  /** Calls of the store so far. */
  calls(): number;
}

export interface Place {
  readonly redisUrl: string;
  readonly sqlitePath: string;
}

export interface Rate {
  readonly limit: number;
  readonly periodMs: number;
}

/** The same client, set up the same way, for everybody. */
const clientOf = (url: string) =>
  new Redis(url, { enableOfflineQueue: true, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 });

/** Counts what is asked of a store. */
function counted(store: Store): { readonly store: Store; calls(): number } {
  let calls = 0;
  const take: Store["take"] = (demands, options) => {
    calls++;
    return store.take(demands, options);
  };
  return { store: { ...store, take }, calls: () => calls };
}

function sluice({ limit, periodMs }: Rate, store: Store, isLeased: boolean): Contender {
  const { store: inner, calls } = counted(store);
  const limiter = createLimiter({ quota: perPeriod(limit, periodMs), store: isLeased ? leased(inner) : inner });
  return { check: (key) => limiter.consume(key), isAllowed: ({ allowed }) => allowed, calls };
}

/** A machine that is busy with a benchmark is late now and then: nothing here measures the time budget. */
const redis = ({ redisUrl }: Place) => redisStore({ client: clientOf(redisUrl), timeoutMs: 2_000 });
const sqlite = ({ sqlitePath }: Place) => sqliteStore({ path: sqlitePath, busyTimeoutMs: 10_000 });

export const contenders = {
  "rate-limiter-flexible": ({ limit, periodMs }, { redisUrl }) => {
    const limiter = new RateLimiterRedis({
      storeClient: clientOf(redisUrl),
      points: limit,
      duration: periodMs / 1000,
    });
    let calls = 0;
    const check = (key: string) => {
      calls++;
      return limiter.consume(key);
    };
    // A refusal is thrown, and so is an error, which is no refusal.
    const isAllowed = (answer: any) => {
      if (answer instanceof Error) throw answer;
      return answer.remainingPoints > 0 || answer.msBeforeNext === undefined || answer.consumedPoints <= limit;
    };
    return { check, isAllowed, calls: () => calls };
  },
  "sluice, exact": (rate, place) => sluice(rate, redis(place), false),
  "sluice, leased": (rate, place) => sluice(rate, redis(place), true),
  "sluice, SQLite": (rate, place) => sluice(rate, sqlite(place), false),
  "sluice, SQLite, leased": (rate, place) => sluice(rate, sqlite(place), true),
} satisfies Record<string, (rate: Rate, place: Place) => Contender>;

export type ContenderName = keyof typeof contenders;
