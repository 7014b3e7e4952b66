import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { createMetrics, type Metrics } from "sluice/prometheus";
import type { UpstreamData } from "./admin/routes.ts";
import type { Policies } from "./config/policies.ts";
import type { Reloader } from "./config/reload.ts";

/** What Prometheus reads of a gateway. */
export interface GatewayMetrics extends Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  /** A server has answered which tools it has. */
  sawTools(result: unknown): void;
  /** What is read of the gateway itself. To be called once. */
  observeGateway(gateway: ObservedGateway): void;
}

interface ObservedGateway {
  readonly policies: Pick<Policies, "current" | "version" | "config">;
  readonly reloader?: Reloader | undefined;
  /** The kind of the store, without its address. */
  readonly store: string;
  /** When the policies that it started with were read, in milliseconds since 1970. */
  readonly startedAt: number;
  upstreams(): Promise<readonly UpstreamData[]>;
}

/** Servers have fewer tools; more are no list of tools. */
const MOST_TOOLS = 1_000;

export function gatewayMetrics(limitedTools: () => Readonly<Record<string, unknown>> | undefined): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const tools = new Set<string>();
  const metrics = createMetrics({
    registry,
    tools: (name) => tools.has(name) || Object.hasOwn(limitedTools() ?? {}, name),
    // All answers would have to be read.
    results: false,
  });

  /** Of which version of the policies each was lowered: a reload makes a new gate, where all of every limit holds. */
  const lowered = new Map<string, number>();
  let versionOf = () => 1;
  function forgetOldLevels(): void {
    for (const [policy, version] of lowered) {
      if (version === versionOf()) continue;
      lowered.delete(policy);
      metrics.listeners.onAdapt?.({ policy, level: 1 });
    }
  }

  return {
    ...metrics,
    listeners: {
      ...metrics.listeners,
      onAdapt(event) {
        lowered.set(event.policy, versionOf());
        metrics.listeners.onAdapt?.(event);
      },
    },
    contentType: registry.contentType,
    text() {
      forgetOldLevels();
      return registry.metrics();
    },

    sawTools(result) {
      const { tools: list } = (result ?? {}) as { tools?: unknown };
      if (!Array.isArray(list)) return;
      for (const tool of list as readonly { name?: unknown }[]) {
        if (tools.size < MOST_TOOLS && typeof tool?.name === "string") tools.add(tool.name);
      }
    },

    observeGateway({ policies, reloader, store, startedAt, upstreams }) {
      versionOf = () => policies.version;
      metrics.observeLimits(() => policies.current.limits);
      new Counter({
        name: "sluice_config_reloads_total",
        help: "Times that the policy file was read anew, by whether it was good.",
        labelNames: ["result"],
        registers,
        collect() {
          const { good, bad } = reloader?.count ?? { good: 0, bad: 0 };
          this.reset();
          this.inc({ result: "success" }, good);
          this.inc({ result: "failure" }, bad);
        },
      });
      new Gauge({
        name: "sluice_config_last_reload_success_timestamp_seconds",
        help: "When the policies that hold were read.",
        registers,
        collect() {
          this.set((reloader?.count.goodAt ?? startedAt) / 1000);
        },
      });
      new Gauge({
        name: "sluice_config_last_reload_successful",
        help: "1 unless the policy file was bad when it was read last.",
        registers,
        collect() {
          this.set(reloader?.last?.ok === false ? 0 : 1);
        },
      });
      new Gauge({
        name: "sluice_config_info",
        help: "1, with the mode that holds and the kind of the store.",
        labelNames: ["mode", "store"],
        registers,
        collect() {
          this.reset();
          this.set({ mode: policies.config.mode ?? "enforce", store }, 1);
        },
      });
      new Gauge({
        name: "sluice_gateway_upstream_up",
        help: "1 while the server behind can be reached, by its path at the gateway.",
        labelNames: ["path"],
        registers,
        async collect() {
          const found = await upstreams();
          this.reset();
          for (const { path = "/", problem } of found) this.set({ path }, problem === undefined ? 1 : 0);
        },
      });
    },
  };
}
