import { systemClock } from "../limiter/clock.ts";
import { isSync, type Store } from "../limiter/store.ts";
import { type Breaker, createBreaker } from "./breaker/breaker.ts";
import type { BreakerChange } from "./breaker/options.ts";
import { Line } from "./scheduler/line.ts";
import { localStarts } from "./scheduler/local-starts.ts";
import { remoteStarts } from "./scheduler/remote-starts.ts";
import type { UpstreamSettings } from "./upstream-options.ts";

/** What all users of an upstream in this process share, however often it is made: who waits, and what is known of it. */
export interface SharedUpstream {
  readonly line: Line;
  readonly breaker: Breaker | undefined;
  /** The breaker may be other than closed. */
  readonly isTroubled: boolean;
  /** Is told of changes of the breaker, until what is returned is called. */
  onBreaker(listener: (change: BreakerChange) => void): () => void;
  /** One user less; with the last one it is over. */
  leave(): void;
}

interface Entry extends SharedUpstream {
  users: number;
}

const byStore = new WeakMap<Store, Map<string, Entry>>();

/** The shared part of an upstream over a store: the same for the same name and the same limits. */
export function sharedUpstream(store: Store, settings: UpstreamSettings): SharedUpstream {
  let entries = byStore.get(store);
  if (entries === undefined) {
    entries = new Map();
    byStore.set(store, entries);
  }
  const key = fingerprintOf(settings);
  let entry = entries.get(key);
  if (entry === undefined) {
    entry = create(store, settings, () => entries.delete(key));
    entries.set(key, entry);
  }
  entry.users++;
  return entry;
}

function create(store: Store, settings: UpstreamSettings, over: () => void): Entry {
  const { name, limits, concurrency, pace, timeoutMs } = settings;
  const clock = store.clock ?? systemClock;
  const listeners = new Set<(change: BreakerChange) => void>();
  let isTroubled = false;
  const nowMs = () => clock.elapsed() / 1000;
  const breaker =
    settings.breaker === false
      ? undefined
      : createBreaker({
          ...settings.breaker,
          onChange(change) {
            isTroubled = change.to !== "closed";
            for (const listener of listeners) listener(change);
            if (change.cause !== "adopted") line.starts.tell(breaker!.facts(nowMs()));
          },
        });
  const line = new Line({
    upstream: name,
    clock,
    most: Math.min(Infinity, ...limits.map(({ quota }) => quota.limit)),
    starts: (options) => {
      const all = { ...options, name, limits, concurrency, pace, timeoutMs, clock };
      return isSync(store) ? localStarts({ ...all, store }) : remoteStarts({ ...all, store });
    },
    heard: (facts) => {
      if (breaker?.adopt(facts, nowMs())) line.starts.tell(breaker.facts(nowMs()));
    },
  });
  const entry: Entry = {
    line,
    breaker,
    get isTroubled() {
      return isTroubled;
    },
    users: 0,
    onBreaker(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    leave() {
      entry.users--;
      if (entry.users > 0) return;
      over();
      line.starts.close();
    },
  };
  return entry;
}

/** Two upstreams with the same one are the same upstream. */
function fingerprintOf({ name, limits, concurrency, pace, timeoutMs, breaker }: UpstreamSettings): string {
  const terms = limits.map(({ name: limit, per, anchor, quota }) => [limit, per, anchor, quota.text]);
  return JSON.stringify([name, terms, concurrency, pace, String(timeoutMs), breaker]);
}
