import { type Clock, systemClock } from "../../limiter/clock.ts";
import type { Decision } from "../../limiter/decision.ts";
import { RateLimitError } from "../../limiter/errors.ts";
import type { Store } from "../../limiter/store.ts";
import { WaitingLine, type WaitOptions } from "../../limiter/waiting-line.ts";
import { type Ask, type Hold, NEXT_MS, type StoredLock, storedLock } from "./stored-lock.ts";

/** Those of this process who wait for locks of one store. */
export interface LockLines {
  /** Resolves with the lock. @throws RateLimitError when it is not to be had in time, and what the store throws */
  wait(name: string, leaseMs: number, options: WaitOptions): Promise<Hold>;
  /** A lock may be free: whoever is first in line asks now. */
  wake(name: string): void;
  /** This process does not have the lock any more. */
  left(name: string, hold: Hold): void;
}

/** More do not wait for one lock. */
export const MAX_WAITING = 1_000;

/**
 * When to ask again for a lock that another process has: each time after half as long again as the time before. So
 * nobody learns later than by what he has waited that it is free, in the long run by half of that, and a long wait
 * costs few calls. At most a second, because the holder may be done at any time; of those who wait in many processes
 * one is next, and asks more often. A part is random, so that processes do not ask in step.
 */
const FIRST_MS = 5;
const GROWTH = 1.5;
const LONGEST_MS = 1_000;
const LONGEST_NEXT_MS = 50;

const known = new WeakMap<Store, LockLines>();

/** The lines of a store: the same for all who use it. */
export function lockLines(store: Store): LockLines {
  let lines = known.get(store);
  if (lines === undefined) {
    lines = newLines(store, store.clock ?? systemClock);
    known.set(store, lines);
  }
  return lines;
}

function newLines(store: Store, clock: Clock): LockLines {
  /** By name, then by the lease that is asked for. */
  const lines = new Map<string, Map<number, WaitingLine<Hold>>>();
  /** The locks that this process has: when they are free it is told. */
  const held = new Map<string, Hold>();

  function asked(name: string, ask: Ask): Ask {
    if (ask.hold !== undefined) held.set(name, ask.hold);
    return ask;
  }

  function newLine(name: string, leaseMs: number): WaitingLine<Hold> {
    const lock = storedLock(store, name, leaseMs);
    const turn = nextTurn(lock, clock);
    let asks = 0;

    /** In how many milliseconds to ask again. */
    function pause({ freeInMs, degraded }: Ask): number {
      if (held.has(name) && !degraded) return freeInMs;
      const longestMs = Math.min(turn.isMine() ? LONGEST_NEXT_MS : LONGEST_MS, FIRST_MS * GROWTH ** asks++);
      return Math.max(1, Math.min(freeInMs || LONGEST_MS, longestMs * (0.75 + Math.random() / 4)));
    }

    return new WaitingLine<Hold>({
      clock,
      maxWaiting: MAX_WAITING,
      isExact: false,
      onEmpty() {
        const byLease = lines.get(name)!;
        byLease.delete(leaseMs);
        if (byLease.size === 0) lines.delete(name);
        turn.leave();
      },
      async attempt() {
        const ask = asked(name, await lock.ask(turn.isMine()));
        const { hold } = ask;
        if (hold === undefined) {
          if (!held.has(name) && !ask.degraded) await turn.take();
          return { decision: refusal(name, ask, pause(ask)), value: hold!, undo: () => {} };
        }
        asks = 0;
        turn.used();
        const undo = async () => {
          await hold.release();
          left(name, hold);
        };
        return { decision: { ...refusal(name, ask, 0), allowed: true }, value: hold, undo };
      },
      foresee: () => refusal(name, { freeInMs: leaseMs, degraded: false }, leaseMs),
    });
  }

  /** Without waiting, and so without being next. */
  async function once(name: string, leaseMs: number, signal: AbortSignal | undefined): Promise<Hold> {
    const ask = asked(name, await storedLock(store, name, leaseMs).ask(false));
    if (ask.hold === undefined) throw new RateLimitError(refusal(name, ask, ask.freeInMs));
    if (!signal?.aborted) return ask.hold;
    await ask.hold.release();
    left(name, ask.hold);
    throw signal.reason;
  }

  function wake(name: string): void {
    for (const line of lines.get(name)?.values() ?? []) line.wake();
  }

  function left(name: string, hold: Hold): void {
    if (held.get(name) === hold) held.delete(name);
    wake(name);
  }

  return {
    wait(name, leaseMs, options) {
      if (options.maxWaitMs === 0 && !lines.has(name)) return once(name, leaseMs, options.signal);
      const byLease = lines.get(name) ?? new Map<number, WaitingLine<Hold>>();
      lines.set(name, byLease);
      const line = byLease.get(leaseMs) ?? newLine(name, leaseMs);
      byLease.set(leaseMs, line);
      return line.join(options);
    },
    wake,
    left,
  };
}

function refusal(name: string, { freeInMs, degraded }: Pick<Ask, "freeInMs" | "degraded">, pauseMs: number): Decision {
  return {
    allowed: false,
    quota: name,
    limit: 1,
    remaining: 0,
    retryAfterMs: Math.ceil(pauseMs),
    resetAfterMs: freeInMs,
    degraded,
  };
}

/** Whether a line is the one whose turn is next, of all processes. */
function nextTurn(lock: StoredLock, clock: Clock) {
  let until = Number.NEGATIVE_INFINITY;
  const isMine = () => clock.elapsed() < until;
  return {
    isMine,
    /** Take it, or keep it. */
    async take(): Promise<void> {
      const askedAt = clock.elapsed();
      if (until - askedAt > NEXT_MS * 500) return;
      until = (await lock.queue()) ? askedAt + NEXT_MS * 1000 : Number.NEGATIVE_INFINITY;
    },
    used() {
      until = Number.NEGATIVE_INFINITY;
    },
    leave() {
      if (isMine()) void lock.unqueue();
    },
  };
}
