import { wholeNumber } from "../../algorithms/numbers.ts";
import type { Clock } from "../../limiter/clock.ts";
import { milliseconds } from "../../limiter/duration.ts";
import type { LogOptions } from "./logger.ts";

/** Tells something at once, and what is the same soon after as a count. */
export interface Sampled {
  /** @param tell is told `more`: how many that were the same have not been told. Undefined: it is the first */
  saw(key: string, tell: (more: number | undefined) => void): void;
}

interface Entry {
  /** When something was told of it. On the clock's elapsed time. */
  at: number;
  unsaid: number;
  /** Tells of the latest. */
  tell: (more: number | undefined) => void;
}

/** @throws RangeError for options that cannot be */
export function sampled(clock: Clock, { everyMs = 10_000, maxKeys = 1_000 }: LogOptions): Sampled {
  milliseconds("everyMs", everyMs, 1);
  wholeNumber("maxKeys", maxKeys, 1);
  /** The one told of longest ago comes first. */
  const entries = new Map<string, Entry>();
  let isTimed = false;

  /** One timer for all, and none when there is nothing to tell. */
  function arm(): void {
    const [oldest] = entries.values();
    if (isTimed || oldest === undefined) return;
    isTimed = true;
    const leftMs = everyMs - (clock.elapsed() - oldest.at) / 1000;
    clock.after(Math.max(1, leftMs), tick, true);
  }

  function tick(): void {
    isTimed = false;
    const now = clock.elapsed();
    for (const [key, entry] of entries) {
      if ((now - entry.at) / 1000 < everyMs) break;
      entries.delete(key);
      if (entry.unsaid === 0) continue;
      entry.tell(entry.unsaid);
      entries.set(key, { ...entry, at: now, unsaid: 0 });
    }
    arm();
  }

  return {
    saw(key, tell) {
      const known = entries.get(key);
      if (known !== undefined) {
        known.unsaid++;
        known.tell = tell;
        return;
      }
      if (entries.size >= maxKeys) {
        const [oldest, { unsaid, tell: last }] = entries.entries().next().value!;
        entries.delete(oldest);
        if (unsaid > 0) last(unsaid);
      }
      entries.set(key, { at: clock.elapsed(), unsaid: 0, tell });
      tell(undefined);
      arm();
    },
  };
}
