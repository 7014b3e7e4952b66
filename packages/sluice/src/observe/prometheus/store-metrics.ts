import type { Store } from "../../limiter/store.ts";
import type { FallbackStats } from "../../stores/fallback.ts";
import type { LeasedStats } from "../../stores/leased/leased.ts";
import type { MemoryStoreStats } from "../../stores/memory/memory.ts";
import { watchedStore } from "../watched-store.ts";
import { bounded } from "./bounded.ts";
import { type FamilyOptions, family, histogram, type Sample } from "./family.ts";
import type { RegistryLike } from "./types.ts";

export interface StoreMetrics {
  observeStore<S extends Store>(store: S, name?: string): S;
  observeStats<S extends Store>(store: S, name?: string): S;
}

/** What stores say of themselves, each those that it has. */
type Stats = Partial<FallbackStats & LeasedStats & MemoryStoreStats>;

const MOST_ERRORS = 20;
const ASKING = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export function storeMetrics(registry: RegistryLike, prefix: string): StoreMetrics {
  const of = (name: string, type: FamilyOptions["type"], help: string, ...labels: readonly string[]) =>
    family(registry, { name: `${prefix}${name}`, help, type, labels: ["store", ...labels] });
  const calls = of("store_calls_total", "counter", "Calls of a store, by what it was asked.", "operation");
  const errors = of("store_errors_total", "counter", "Calls of a store that failed.", "operation", "error_type");
  const asking = histogram(registry, {
    name: `${prefix}store_call_duration_seconds`,
    help: "How long calls of a store took.",
    labels: ["store", "operation"],
    buckets: ASKING,
  });
  const errorLabel = bounded(MOST_ERRORS);

  const names = new Set<string>();
  const observed: { readonly name: string; readonly stats: () => Stats }[] = [];
  /** Only stores that say it have the series. */
  const reading = (
    name: string,
    type: FamilyOptions["type"],
    help: string,
    read: (stats: Stats) => Iterable<Sample>,
    ...labels: readonly string[]
  ) => {
    of(name, type, help, ...labels).from(() => samplesOf(observed, read));
  };
  const one = (name: string, type: FamilyOptions["type"], help: string, read: (stats: Stats) => number | undefined) =>
    reading(name, type, help, (stats) => {
      const value = read(stats);
      return value === undefined ? [] : [[[], value]];
    });

  one("store_up", "gauge", "1 while the store answers, 0 while its fallback does.", ({ degradedForMs }) =>
    degradedForMs === undefined ? undefined : Number(degradedForMs === 0),
  );
  one("store_degraded_seconds", "gauge", "How long ago the outage of the store began; 0 without one.", (stats) =>
    stats.degradedForMs === undefined ? undefined : stats.degradedForMs / 1000,
  );
  reading(
    "store_fallback_decisions_total",
    "counter",
    "Decisions of a store with a fallback, by who decided: the store, or how it is stood in for.",
    ({ decisions, degraded, closed = 0, open = 0, localShare = 0 }) =>
      decisions === undefined || degraded === undefined
        ? []
        : [
            [["store"], decisions - degraded],
            [["closed"], closed],
            [["open"], open],
            [["local_share"], localShare],
          ],
    "by",
  );
  reading(
    "lease_decisions_total",
    "counter",
    "Decisions over leased units in this process, and calls of the shared store for all of them.",
    ({ hits, storeCalls }) =>
      hits === undefined || storeCalls === undefined
        ? []
        : [
            [["local"], hits],
            [["store_call"], storeCalls],
          ],
    "how",
  );
  reading(
    "lease_units_total",
    "counter",
    "Leased units: granted, and what became of them.",
    ({ granted, used, returned, expired }) =>
      granted === undefined
        ? []
        : [
            [["granted"], granted],
            [["used"], used ?? 0],
            [["returned"], returned ?? 0],
            [["expired"], expired ?? 0],
          ],
    "state",
  );
  one("lease_held_units", "gauge", "Leased units that may still be used.", ({ held }) => held);
  one(
    "lease_state_losses_total",
    "counter",
    "Times that the shared store was found to have lost what it knew.",
    ({ stateLosses }) => stateLosses,
  );
  one("store_keys", "gauge", "Keys that a store in memory remembers.", ({ keys }) => keys);
  one("store_max_keys", "gauge", "Keys that a store in memory may remember.", ({ maxKeys }) => maxKeys);
  one(
    "store_overflowed_decisions_total",
    "counter",
    "Decisions with a key that newcomers share, because a store in memory was full.",
    ({ overflowed }) => overflowed,
  );

  function observeStats<S extends Store>(store: S, name = "store"): S {
    const { stats } = store as { stats?: () => Stats };
    if (typeof stats === "function") observed.push({ name, stats: () => stats.call(store) });
    return store;
  }

  return {
    observeStats,
    observeStore(store, name = "store") {
      if (names.has(name)) {
        throw new RangeError(
          `A store is observed under the name ${JSON.stringify(name)} already: give each a name of its own.`,
        );
      }
      names.add(name);
      return watchedStore(observeStats(store, name), {
        called(operation, tookMs) {
          calls.add([name, operation]);
          if (tookMs !== undefined) asking.observe([name, operation], tookMs / 1000);
        },
        failed: (operation, error) => errors.add([name, operation, errorLabel(typeOf(error))]),
      });
    },
  };
}

/** The code of an error, else its class. Never its message. */
function typeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : typeof error;
}

function* samplesOf(
  observed: readonly { readonly name: string; readonly stats: () => Stats }[],
  read: (stats: Stats) => Iterable<Sample>,
): Generator<Sample> {
  for (const { name, stats } of observed) {
    for (const [labels, value] of read(stats())) yield [[name, ...labels], value];
  }
}
