import { systemClock } from "../limiter/clock.ts";
import { isSync, type Store } from "../limiter/store.ts";
import { type Breaker, createBreaker } from "./breaker/breaker.ts";
import type { BreakerChange } from "./breaker/options.ts";
import { type Coalescer, createCoalescer } from "./coalesce/coalescer.ts";
import { createHearing, type Hearing } from "./feedback/hearing.ts";
import { createRetryBudget, type RetryBudget } from "./retry/retry-budget.ts";
import { Line } from "./scheduler/line.ts";
import { localStarts } from "./scheduler/local-starts.ts";
import { remoteStarts } from "./scheduler/remote-starts.ts";
import type { UpstreamSettings } from "./upstream-options.ts";

/** What all users of an upstream in this process share, however often it is made: who waits, and what is known of it. */
export interface SharedUpstream {
  readonly line: Line;
  readonly breaker: Breaker | undefined;
  readonly hearing: Hearing;
  /** Undefined: any number of retries. */
  readonly budget: RetryBudget | undefined;
  readonly coalescer: Coalescer;
  /** The breaker may be other than closed. */
  readonly isTroubled: boolean;
  /** Is told of changes of the breaker and of failures of the store, until what is returned is called. */
  listen(listener: SharedListener): () => void;
  /** One user less; with the last one it is over. Resolves when others know. */
  leave(): Promise<void>;
}

interface SharedListener {
  breaker(change: BreakerChange): void;
  storeFailed(error: unknown): void;
}

interface Entry extends SharedUpstream {
  users: number;
}

/**
 * What is known of so many upstreams is kept when nobody uses them: a server that is made anew for each request makes
 * them anew as well. Those of which calls that run and pauses are known are kept in any case.
 */
const KEPT = 100;

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
    entry = create(store, settings, () => forget(entries, key));
  }
  entries.delete(key);
  entries.set(key, entry);
  entry.users++;
  return entry;
}

/** Nobody uses this one any more. */
function forget(entries: Map<string, Entry>, key: string): void {
  if (!entries.get(key)!.line.starts.isAlone) {
    entries.delete(key);
    return;
  }
  const unused = [...entries].filter(([, { users }]) => users === 0);
  for (const [old, { line }] of unused.slice(0, Math.max(0, unused.length - KEPT))) {
    if (!line.starts.isNeeded) entries.delete(old);
  }
}

function create(store: Store, settings: UpstreamSettings, over: () => void): Entry {
  const { name, limits, concurrency, pace, timeoutMs, graceMs } = settings;
  const clock = store.clock ?? systemClock;
  const listeners = new Set<SharedListener>();
  let isTroubled = false;
  const nowMs = () => clock.elapsed() / 1000;
  const breaker =
    settings.breaker === false
      ? undefined
      : createBreaker({
          ...settings.breaker,
          onChange(change) {
            isTroubled = change.to !== "closed";
            for (const listener of listeners) listener.breaker(change);
            if (change.cause !== "adopted") line.starts.tell(breaker!.facts(nowMs()));
          },
        });
  const line = new Line({
    upstream: name,
    clock,
    most: Math.min(Infinity, ...limits.map(({ quota }) => quota.limit)),
    starts: (options) => {
      const all = { ...options, name, limits, concurrency, pace, timeoutMs, graceMs, clock };
      return isSync(store) ? localStarts({ ...all, store }) : remoteStarts({ ...all, store });
    },
    troubled: (error) => {
      for (const listener of listeners) listener.storeFailed(error);
    },
    heard: (facts) => {
      if (breaker?.adopt(facts, nowMs())) line.starts.tell(breaker.facts(nowMs()));
    },
  });
  const coalescer = createCoalescer({ clock });
  const entry: Entry = {
    line,
    breaker,
    hearing: createHearing(line, limits),
    budget: settings.budget === false ? undefined : createRetryBudget(settings.budget),
    coalescer,
    get isTroubled() {
      return isTroubled;
    },
    users: 0,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async leave() {
      entry.users--;
      if (entry.users > 0) return;
      coalescer.clear();
      over();
      await line.starts.close();
    },
  };
  return entry;
}

/** Two upstreams with the same one are the same upstream. */
function fingerprintOf(settings: UpstreamSettings): string {
  const { name, limits, concurrency, pace, timeoutMs, graceMs, breaker, budget } = settings;
  const terms = limits.map(({ name: limit, per, anchor, quota }) => [limit, per, anchor, quota.text]);
  return JSON.stringify([name, terms, concurrency, pace, String(timeoutMs), graceMs, breaker, budget]);
}
