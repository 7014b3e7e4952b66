import type { OutboundEvent } from "../../outbound/events.ts";
import type { UpstreamStats } from "../../outbound/upstream.ts";
import type { AnyUpstreams } from "../../outbound/upstreams.ts";
import { type FamilyOptions, family, histogram, type Sample } from "./family.ts";
import type { RegistryLike } from "./types.ts";

export interface UpstreamMetrics {
  onEvent(event: OutboundEvent): void;
  observeUpstreams<U extends AnyUpstreams>(upstreams: U): U;
}

const WAITING = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const CALLING = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
const BREAKER_STATES = ["closed", "open", "half-open"];

export function upstreamMetrics(registry: RegistryLike, prefix: string): UpstreamMetrics {
  const of = (name: string, type: FamilyOptions["type"], help: string, ...labels: readonly string[]) =>
    family(registry, { name: `${prefix}upstream_${name}`, help, type, labels: ["upstream", ...labels] });
  const attempts = of("attempts_total", "counter", "Attempts that ended, by what came of them.", "outcome");
  const retries = of("retries_total", "counter", "Attempts that failed and were followed by another.");
  const refusals = of("refusals_total", "counter", "Calls that were not made, by the reason.", "reason");
  const throttles = of("throttles_total", "counter", "Times that the upstream said that calls come too fast.");
  const elsewhere = of("used_elsewhere_units_total", "counter", "Units that others used, as the upstream said.");
  const changes = of("breaker_changes_total", "counter", "Changes of the circuit breaker, by its new state.", "to");
  const failures = of("store_failures_total", "counter", "Times that the store could not be asked.");
  const waited = histogram(registry, {
    name: `${prefix}upstream_wait_seconds`,
    help: "How long calls waited until an attempt started.",
    labels: ["upstream"],
    buckets: WAITING,
  });
  const took = histogram(registry, {
    name: `${prefix}upstream_attempt_duration_seconds`,
    help: "How long attempts took, by what came of them.",
    labels: ["upstream", "outcome"],
    buckets: CALLING,
  });

  const observed = new Set<AnyUpstreams>();
  const reading = (
    name: string,
    type: FamilyOptions["type"],
    help: string,
    read: (stats: UpstreamStats) => Iterable<Sample>,
    ...labels: readonly string[]
  ) => {
    of(name, type, help, ...labels).from(() => samplesOf(observed, read));
  };
  const gauge = (name: string, help: string, read: (stats: UpstreamStats) => number) =>
    reading(name, "gauge", help, (stats) => [[[], read(stats)]]);
  gauge("waiting_calls", "Calls that wait now.", ({ waiting }) => waiting);
  gauge("running_calls", "Attempts that run now.", ({ running }) => running);
  gauge("pause_seconds", "For how long the upstream wants to be left alone.", ({ pausedForMs }) => pausedForMs / 1000);
  gauge("rate_ratio", "The part of the full rate that is used, after refusals without a time.", ({ rate }) => rate);
  gauge(
    "start_delay_seconds",
    "How long a call would wait that comes now.",
    ({ startsInMs }) => Math.min(startsInMs, Number.MAX_SAFE_INTEGER) / 1000,
  );
  reading(
    "breaker_state",
    "gauge",
    "1 for the state that the circuit breaker is in.",
    ({ breaker }) =>
      breaker === undefined ? [] : BREAKER_STATES.map((state): Sample => [[state], state === breaker.state ? 1 : 0]),
    "state",
  );
  reading(
    "coalesced_calls_total",
    "counter",
    "Calls with a key: made, joined to one that ran, or answered with a value that was kept.",
    ({ coalesced: { started, joined, hits } }) => [
      [["made"], started],
      [["joined"], joined],
      [["kept"], hits],
    ],
    "how",
  );

  return {
    onEvent(event) {
      const { upstream } = event;
      switch (event.type) {
        case "started":
          return waited.observe([upstream], event.waitedMs / 1000);
        case "ended":
          attempts.add([upstream, event.outcome]);
          return took.observe([upstream, event.outcome], event.tookMs / 1000);
        case "retry":
          return retries.add([upstream]);
        case "refused":
          return refusals.add([upstream, event.reason]);
        case "throttled":
          return throttles.add([upstream]);
        case "used-elsewhere":
          return elsewhere.add([upstream], event.units);
        case "breaker":
          return changes.add([upstream, event.to]);
        case "store-failed":
          return failures.add([upstream]);
        case "queued":
          return undefined;
      }
    },
    observeUpstreams(upstreams) {
      observed.add(upstreams);
      return upstreams;
    },
  };
}

function* samplesOf(
  observed: Iterable<AnyUpstreams>,
  read: (stats: UpstreamStats) => Iterable<Sample>,
): Generator<Sample> {
  for (const upstreams of observed) {
    for (const [name, one] of Object.entries(upstreams) as [string, { stats?(): UpstreamStats }][]) {
      if (typeof one.stats !== "function") continue;
      for (const [labels, value] of read(one.stats())) yield [[name, ...labels], value];
    }
  }
}
