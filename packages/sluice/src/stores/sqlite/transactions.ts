import { systemClock } from "../../limiter/clock.ts";
import type { Times } from "../../limiter/store.ts";
import { explained, isBusy, StoreBusyError } from "./errors.ts";
import type { Session } from "./session.ts";

/** One call's part of a transaction. */
interface Work<T> {
  readonly isWriting: boolean;
  do(session: Session, times: Times): T;
}

/** Runs work in transactions, in the order of the calls: those of one turn of the event loop share one. */
export interface Transactions {
  /** @throws StoreBusyError, StoreFileError */
  run<T>(work: Work<T>): Promise<T>;
  /** Resolves once everything asked for so far is done. */
  drained(): Promise<void>;
}

export interface TransactionsOptions {
  /** Opens the session at the first call, again and again until that succeeds. */
  readonly session: () => Session;
  readonly busyTimeoutMs: number;
  /** For messages. */
  readonly file: string;
}

/** A transaction takes no more calls after so many microseconds: the event loop and other processes have their turn. */
const LONGEST_TURN = 2_000;
const BATCH = 500;
/** The lock is usually held for some microseconds: look again at once, and only then wait. */
const AT_ONCE = 3;
const LONGEST_PAUSE_MS = 20;

interface Entry {
  readonly work: Work<unknown>;
  readonly deadline: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export function transactions({ session, busyTimeoutMs, file }: TransactionsOptions): Transactions {
  let waiting: Entry[] = [];
  let isScheduled = false;
  let attempts = 0;
  /** After a batch that failed, its calls run one by one: only those that fail by themselves do. */
  let suspects = 0;
  const drained: (() => void)[] = [];

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    if (attempts <= AT_ONCE) setImmediate(turn);
    // Jitter keeps processes that collided from meeting again.
    else setTimeout(turn, 1 + Math.random() * (Math.min(2 ** (attempts - AT_ONCE), LONGEST_PAUSE_MS) - 1));
  }

  function turn(): void {
    isScheduled = false;
    const batch = waiting.slice(0, suspects > 0 ? 1 : BATCH);
    try {
      const results = decideAll(batch);
      done(results.length);
      for (const [i, result] of results.entries()) batch[i]!.resolve(result);
    } catch (error) {
      if (isBusy(error)) {
        attempts++;
        giveUp(error);
        readMeanwhile();
      } else if (batch.length > 1) {
        suspects = batch.length;
      } else {
        done(batch.length);
        for (const { reject } of batch) reject(explained(error, file));
      }
    }
    if (waiting.length > 0) schedule();
    else for (const resolve of drained.splice(0)) resolve();
  }

  /** What only reads needs no lock: it does not wait behind what writes. */
  function readMeanwhile(): void {
    const reading = waiting.filter(({ work }) => !work.isWriting).slice(0, BATCH);
    if (reading.length === 0 || reading.length === waiting.length) return;
    try {
      const results = decideAll(reading);
      const done = new Set(reading.slice(0, results.length));
      waiting = waiting.filter((entry) => !done.has(entry));
      suspects = 0;
      for (const [i, result] of results.entries()) reading[i]!.resolve(result);
    } catch {
      // It stays in line, and its turn will show what is wrong.
    }
  }

  /** The results of as many calls as there was time for: of at least one. */
  function decideAll(batch: readonly Entry[]): unknown[] {
    const opened = session();
    const isWriting = batch.some(({ work }) => work.isWriting);
    return opened.transact(isWriting, (times) => {
      const end = systemClock.elapsed() + LONGEST_TURN;
      const results: unknown[] = [];
      for (const { work } of batch) {
        results.push(work.do(opened, times));
        if (systemClock.elapsed() >= end) break;
      }
      return results;
    });
  }

  function done(count: number): void {
    attempts = 0;
    suspects = Math.max(0, suspects - count);
    waiting = waiting.slice(count);
  }

  /** Those whose time is over are told so. The newest calls have the most time, so the order of the others stays. */
  function giveUp(cause: unknown): void {
    const now = systemClock.elapsed();
    const late = waiting.filter(({ deadline }) => deadline <= now);
    if (late.length === 0) return;
    waiting = waiting.filter(({ deadline }) => deadline > now);
    suspects = Math.max(0, suspects - late.length);
    for (const { reject } of late) reject(new StoreBusyError(busyTimeoutMs, { cause }));
  }

  return {
    run<T>(work: Work<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        const deadline = systemClock.elapsed() + busyTimeoutMs * 1000;
        waiting.push({ work, deadline, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      });
    },
    drained: () => (waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => drained.push(resolve))),
  };
}
