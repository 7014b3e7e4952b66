import { memoryStore } from "sluice";
import {
  type CallOptions,
  createUpstreams,
  type OutboundEvent,
  type Upstream,
  type UpstreamOptions,
} from "sluice/outbound";
import { manualClock } from "sluice/testing";

export type One = UpstreamOptions | string | readonly string[];

/** A clock that can stand still and go on, as in a process that is busy: timers are then late. */
function stallingClock() {
  const clock = manualClock();
  let skipped = 0;
  return {
    ...clock,
    elapsed: () => clock.elapsed() + skipped,
    wall: () => clock.wall() + skipped,
    /** So much time passes in which no timer is heard. They are late by as much. */
    stall(ms: number) {
      skipped += ms * 1000;
    },
    get pending() {
      return clock.pending;
    },
  };
}

/** One upstream in virtual time, with notes of what started and of how calls ended. Times are milliseconds from the start. */
export function world(config: One) {
  const clock = stallingClock();
  const store = memoryStore({ clock });
  const events: OutboundEvent[] = [];
  const make = (options: One = config) =>
    createUpstreams({ api: options }, { store, onEvent: (event) => void events.push(event) });
  const upstreams = make();
  const begin = clock.elapsed();
  const now = () => (clock.elapsed() - begin) / 1000;
  const started: { readonly name: string; readonly at: number }[] = [];
  const ended: string[] = [];

  /** A call that takes so long and heeds its signal. Resolves when it has ended, however it did. */
  function call(name: string, options?: CallOptions, tookMs = 0, of: Upstream = upstreams.api): Promise<void> {
    const made = of.run<string>(({ signal }) => {
      started.push({ name, at: now() });
      return tookMs === 0 ? name : later(tookMs, name, signal);
    }, options);
    return made.then(
      () => void ended.push(`${name} ${now()}`),
      (error) => void ended.push(`${name} ${error.reason ?? error.message} ${now()}`),
    );
  }

  /** A value that is there after a while, unless it is cancelled. */
  function later<T>(ms: number, value: T, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = clock.after(ms, () => resolve(value));
      signal?.addEventListener("abort", () => {
        cancel();
        reject(signal.reason);
      });
    });
  }

  return {
    clock,
    store,
    upstreams,
    api: upstreams.api,
    events,
    started,
    ended,
    make,
    now,
    call,
    later,
    /** When calls started, in order. */
    times: () => started.map(({ at }) => at),
    /** Which calls started, in order. */
    names: () => started.map(({ name }) => name).join(" "),
    types: () => events.map(({ type }) => type),
  };
}

/** What a promise was rejected with. */
export const errorOf = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    (value) => {
      throw new Error(`It was not rejected, but gave ${String(value)}.`);
    },
    (error) => error,
  );

export const numbered = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
