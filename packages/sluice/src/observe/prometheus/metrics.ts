import { wholeNumber } from "../../algorithms/numbers.ts";
import type { McpRateLimitOptions } from "../../inbound/mcp/options.ts";
import type { Store } from "../../limiter/store.ts";
import type { OutboundListener } from "../../outbound/events.ts";
import type { AnyUpstreams } from "../../outbound/upstreams.ts";
import { version } from "../version.ts";
import type { Names } from "./bounded.ts";
import { family } from "./family.ts";
import { type DecisionLike, gateMetrics } from "./gate-metrics.ts";
import { storeMetrics } from "./store-metrics.ts";
import type { RegistryLike } from "./types.ts";
import { upstreamMetrics } from "./upstream-metrics.ts";

export interface MetricsOptions {
  /** A `Registry` of prom-client, such as its `register`. */
  readonly registry: RegistryLike;
  /**
   * The tools of the server: a list, or what says whether there is one now. All others, which clients can make up, are "other".
   *
   * @default the tools that have a limit of their own
   */
  readonly tools?: Names;
  /** Tools that are told apart at most. @default 200 */
  readonly maxTools?: number;
  /** What all names begin with. @default "sluice_" */
  readonly prefix?: string;
  /**
   * Whether gates are listened to for what comes of calls: calls that run, and how long they take. A gate over HTTP reads all
   * answers for that.
   *
   * @default true
   */
  readonly results?: boolean;
}

/** Metrics of everything that limits in this process. Never labelled by client, session, address or argument. */
export interface Metrics {
  /** For `rateLimit`, `limitFetch`, `createMcpGate` and their like: `{ tools: …, ...metrics.listeners }`. */
  readonly listeners: Pick<McpRateLimitOptions, "onDecision" | "onWaiting" | "onResult" | "onAdapt">;
  /** For `onDecision` of a limiter, or of `rateLimit` for HTTP: its decisions are counted under the policy `name`. */
  decisionsOf(name: string): (event: DecisionLike) => void;
  /** For `onEvent` of `createUpstreams`. */
  readonly onEvent: OutboundListener;
  /**
   * Upstreams, whose state is read when somebody looks. Once for each name of an upstream.
   *
   * @returns the same upstreams
   */
  observeUpstreams<U extends AnyUpstreams>(upstreams: U): U;
  /**
   * A store, whose calls are counted and timed. What it tells of itself (`fallback`, `leased`, `memoryStore`) is read when somebody looks.
   *
   * @param name tells stores apart. @default "store"
   * @returns the store to use instead
   * @throws RangeError for a name that another store has
   */
  observeStore<S extends Store>(store: S, name?: string): S;
  /**
   * A store, of which only what it tells of itself is read: a `fallback` hides errors, so the store in it is observed, and this beside it.
   *
   * @returns the same store
   */
  observeStats<S extends Store>(store: S, name?: string): S;
  /** The limits of a gate, or what gives them as they are now. */
  observeLimits(limits: LimitsOf): void;
}

type LimitsOf = Parameters<ReturnType<typeof gateMetrics>["observeLimits"]>[0];

/** @see https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels */
const PREFIX = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/**
 * Metrics for Prometheus in a registry of prom-client: `npm install prom-client`.
 *
 * @example
 * import { register } from "prom-client";
 * const metrics = createMetrics({ registry: register, tools: ["search", "fetch"] });
 * rateLimit(server, { tools: { "*": "10/min" }, ...metrics.listeners });
 *
 * @throws TypeError for what is no registry, RangeError for numbers and prefixes that cannot be; what the registry throws when it has
 *   metrics of these names already: one registry has one `createMetrics`, for all gates, stores and upstreams.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  const { registry, tools, maxTools = 200, prefix = "sluice_", results = true } = options;
  if (typeof registry?.registerMetric !== "function") {
    throw new TypeError(
      'registry is a Registry of prom-client: import { register } from "prom-client", and give { registry: register }.',
    );
  }
  wholeNumber("maxTools", maxTools, 0);
  if (!PREFIX.test(prefix)) {
    throw new RangeError(
      `prefix is letters, digits, "_" and ":", and begins with no digit, but it is ${JSON.stringify(prefix)}.`,
    );
  }
  const { decisionsOf, observeLimits, ...listeners } = gateMetrics({ registry, prefix, tools, maxTools, results });
  const { onEvent, observeUpstreams } = upstreamMetrics(registry, prefix);
  const { observeStore, observeStats } = storeMetrics(registry, prefix);
  family(registry, {
    name: `${prefix}build_info`,
    help: "1, with the version of Sluice.",
    type: "gauge",
    labels: ["version"],
    aggregator: "first",
  }).from(() => [[[version], 1]]);
  return { listeners, decisionsOf, onEvent, observeUpstreams, observeStore, observeStats, observeLimits };
}
