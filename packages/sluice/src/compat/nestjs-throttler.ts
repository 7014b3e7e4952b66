import type { Store } from "../limiter/store.ts";
import { memoryStore } from "../stores/memory/memory.ts";
import { counterByNumbers } from "./counter-by-numbers.ts";
import type { CompatOptions } from "./window-counter.ts";

export type { CompatOptions } from "./window-counter.ts";

/** What the guard of @nestjs/throttler is told of a key. */
export interface ThrottlerRecord {
  /** Hits of the window, this one too. When refused: one more than the limit. */
  readonly totalHits: number;
  /** Seconds, rounded up. When refused: until a request can pass. Else: until the key is as good as new. */
  readonly timeToExpire: number;
  /** Whether this request is refused. */
  readonly isBlocked: boolean;
  /** Seconds until a request can pass, rounded up; 0 when this one passes. */
  readonly timeToBlockExpire: number;
}

/** A storage as @nestjs/throttler asks for it. */
export interface ThrottlerStorage {
  /** @param ttl window in milliseconds @param blockDuration milliseconds; 0 waits only until the window has room */
  increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerRecord>;
}

/**
 * A storage for @nestjs/throttler 6: its throttlers, counted by Sluice.
 *
 * A refused request is not charged, and `totalHits` is then one more than the limit. `blockDuration`, which is `ttl`
 * unless given, begins with the first request that is refused. A block never lets anybody in sooner than the window.
 *
 * @example
 * ThrottlerModule.forRoot({ throttlers: [{ ttl: 60_000, limit: 100 }], storage: sluiceStorage({ store }) });
 */
export function sluiceStorage(options: CompatOptions = {}): ThrottlerStorage {
  const { name = "nestjs-throttler", algorithm } = options;
  const store: Store = options.store ?? memoryStore();
  /** A throttler whose limit is a function has one count for a key, whatever the limit is for this request. */
  const counterOf = counterByNumbers({ store, algorithm, whenChanged: "carry" });

  return {
    async increment(key, ttl, limit, blockDuration, throttlerName) {
      const counter = counterOf(`${name}/${throttlerName}`, limit, ttl);
      const { total, isRefused, isBlocked, endsInMs } = await counter.hit(key);
      if (!isRefused) {
        return { totalHits: total, timeToExpire: secondsOf(endsInMs), isBlocked: false, timeToBlockExpire: 0 };
      }
      const isLonger = !isBlocked && blockDuration > endsInMs;
      if (isLonger) await counter.block(key, blockDuration);
      const seconds = secondsOf(isLonger ? blockDuration : endsInMs);
      return { totalHits: total, timeToExpire: seconds, isBlocked: true, timeToBlockExpire: seconds };
    },
  };
}

const secondsOf = (ms: number): number => Math.ceil(ms / 1000);
