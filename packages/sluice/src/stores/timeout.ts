import { shown } from "../algorithms/numbers.ts";
import { type Clock, systemClock } from "../limiter/clock.ts";
import { isPromise } from "../limiter/reply.ts";
import type { SharedDocument } from "../limiter/shared-document.ts";
import type { QueueSeat, SharedQueue } from "../limiter/shared-queue.ts";
import { type Awaitable, isSync, type Store, type SyncStore } from "../limiter/store.ts";
import { breaker } from "./breaker.ts";
import { isCallersFault, StoreTimeoutError } from "./errors.ts";

export interface TimeoutOptions {
  /** How long an answer may take, time in queues included. In milliseconds. @default 50 */
  readonly timeoutMs?: number;
  /**
   * After so many failures in a row the store is left alone for a while; the same when more than half of at
   * least 20 calls within 10 s failed. `Infinity`: it is asked every time.
   *
   * @default 5
   */
  readonly breakAfter?: number;
}

/** What `timeout` makes of a store: one that answers at once stays as it is. */
export type Timed<S extends Store> = S extends SyncStore ? S : Store;

/**
 * A store that answers in time or fails: no call waits for it longer than `timeoutMs`.
 *
 * A circuit breaker stands before it. While the store fails, calls fail at once with {@link StoreUnavailableError}
 * and nothing is sent. After 0.5 to 1.5 s one call goes through; if it fails the pause doubles, up to 10 s, and if
 * it is answered all calls go through again. An error counts as a failure unless it is the caller's own: a
 * RangeError, or a TypeError without a cause.
 *
 * When this process itself was busy the answer may be there already, unread: then the store is given one more
 * turn of the event loop. An answer that comes too late is dropped; of a queue, it becomes news.
 *
 * @example
 * const store = fallback(timeout(sqliteStore({ path })), "closed");
 *
 * @param options the time in milliseconds, or all options.
 * @returns a store whose calls throw StoreTimeoutError when there is no answer in time, StoreUnavailableError
 *   while the store is left alone, and what the store itself throws.
 * @throws RangeError for a time that cannot be.
 */
export function timeout<S extends Store>(store: S, options: number | TimeoutOptions = {}): Timed<S> {
  const call = timedCalls(store.clock ?? systemClock, typeof options === "number" ? { timeoutMs: options } : options);
  return (isSync(store) ? store : timed(store, call)) as Timed<S>;
}

/** Makes calls that end in time, unless they are not made at all because others failed. */
export type TimedCalls = <T>(send: () => Awaitable<T>) => Promise<T>;

/** What {@link timeout} does, for calls of any kind. */
export function timedCalls(clock: Clock, { timeoutMs = 50, breakAfter = 5 }: TimeoutOptions): TimedCalls {
  if (!(typeof timeoutMs === "number" && timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw new RangeError(
      `timeoutMs must be a number of milliseconds above 0, such as 50, but it is ${shown(timeoutMs)}.`,
    );
  }
  if (!(breakAfter >= 1)) {
    throw new RangeError(
      `breakAfter must be a number of failures from 1, or Infinity, but it is ${shown(breakAfter)}.`,
    );
  }
  const gate = breaker({ clock, breakAfter });
  const line = deadlines(clock, timeoutMs);

  // One promise for all of it: this stands in the way of every call.
  return (send) =>
    new Promise((resolve, reject) => {
      const report = gate.enter();
      const fail = (error: unknown): void => {
        report(isCallersFault(error) ? "aborted" : "failed", error);
        reject(error);
      };
      const succeed = <T>(value: T): void => {
        report("answered");
        (resolve as (value: T) => void)(value);
      };
      let answer: ReturnType<typeof send>;
      try {
        answer = send();
      } catch (error) {
        fail(error);
        return;
      }
      if (isPromise(answer)) line.join(answer, succeed, fail);
      else succeed(answer);
    });
}

function timed(store: Store, call: TimedCalls): Store {
  return {
    ...(store.clock && { clock: store.clock }),
    take: (demands, takeOptions) => call(() => store.take(demands, takeOptions)),
    forget: (accounts) => call(() => store.forget(accounts)),
    ...(store.shortcut && { shortcut: (quota, block) => store.shortcut!(quota, block) }),
    ...(store.queue && { queue: (terms, seat) => timedQueue(store.queue!(terms, seat), seat, call) }),
    ...(store.document && { document: (name) => timedDocument(store.document!(name), call) }),
    ...(store.close && { close: () => store.close!() }),
  };
}

const timedDocument = (document: SharedDocument, call: TimedCalls): SharedDocument => ({
  read: () => call(() => document.read()),
  replace: (version, text) => call(() => document.replace(version, text)),
});

/** What was granted in an answer that came too late was granted: it can still be used, or be given back. */
function timedQueue(queue: SharedQueue, seat: QueueSeat, call: TimedCalls): SharedQueue {
  return {
    async exchange(request) {
      let isOver = false;
      try {
        return await call(async () => {
          const { now, grants, wakeAfter, note, ...reply } = await queue.exchange(request);
          const news = {
            now,
            grants,
            ...(wakeAfter !== undefined && { wakeAfter }),
            ...(note !== undefined && { note }),
          };
          if (isOver) seat.inform(news);
          return { ...reply, ...news };
        });
      } finally {
        isOver = true;
      }
    },
    close: () => queue.close(),
  };
}

/** A call that has not been answered, or was a moment ago. */
interface Pending {
  /** On the clock's elapsed time. */
  readonly due: number;
  readonly fail: (error: unknown) => void;
  isOver: boolean;
}

/** A timer that is later than this, in microseconds, tells of an event loop that was busy. */
const LATE = 5_000;
/** How long answers may then take to be read. In milliseconds. */
const GRACE_MS = 5;

/** Answered calls that are kept in line until as many have come behind them. */
const SLACK = 64;

/** The calls that are under way. All have the same time, so those that came first are due first: one timer is enough. */
function deadlines(clock: Clock, timeoutMs: number) {
  /** A list, for a set in which calls come and go leaves a trail that costs the collector of garbage much. */
  const line: Pending[] = [];
  let head = 0;
  let isArmed = false;

  /** The call that came first of those that have no answer. */
  function first(): Pending | undefined {
    while (line[head]?.isOver) head++;
    if (head > SLACK && 2 * head > line.length) {
      line.splice(0, head);
      head = 0;
    }
    return line[head];
  }

  function arm(): void {
    const call = first();
    isArmed = call !== undefined;
    if (call !== undefined) clock.after(Math.max(0, call.due - clock.elapsed()) / 1000, look, true);
  }

  function look(): void {
    const call = first();
    const now = clock.elapsed();
    if (call === undefined || call.due > now) arm();
    else if (now - call.due > LATE) clock.after(GRACE_MS, () => nextTurn(clock, () => expire(now)), true);
    else nextTurn(clock, () => expire(now));
  }

  function expire(now: number): void {
    for (let call = first(); call !== undefined && call.due <= now; call = first()) {
      call.isOver = true;
      call.fail(new StoreTimeoutError(timeoutMs));
    }
    arm();
  }

  return {
    /** Tells once what came of a call. */
    join<T>(answer: PromiseLike<T>, succeed: (value: T) => void, fail: (error: unknown) => void): void {
      const call = { due: clock.elapsed() + timeoutMs * 1000, fail, isOver: false };
      first();
      line.push(call);
      if (!isArmed) arm();
      answer.then(
        (value) => {
          if (call.isOver) return;
          call.isOver = true;
          succeed(value);
        },
        (error: unknown) => {
          if (call.isOver) return;
          call.isOver = true;
          fail(error);
        },
      );
    },
  };
}

/** Calls back when sockets have been read once more: after the poll phase, where there is one. */
function nextTurn(clock: Clock, callback: () => void): void {
  if (typeof setImmediate === "function") setImmediate(callback);
  else clock.after(1, callback, true);
}
