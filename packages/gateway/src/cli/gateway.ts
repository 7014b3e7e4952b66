import { logDecisions } from "sluice/logs";
import { createOverrides, type McpDecisionEvent, type Overrides } from "sluice/mcp";
import { createPolicies, failurePolicyOf, type Policies } from "../config/policies.ts";
import { type Reloader, reloadOnChange } from "../config/reload.ts";
import type { Logger } from "../log.ts";
import { type GatewayMetrics, gatewayMetrics } from "../metrics.ts";
import { openRecord } from "../record.ts";
import { openStore } from "../store/open-store.ts";
import { openTelemetryOf } from "../telemetry/open-telemetry.ts";
import type { AdminOptions } from "./admin.ts";
import { type CommonOptions, settingsOf } from "./settings.ts";

/** What every way to run has: policies over a store, which follow their file. */
export interface Gateway {
  readonly policies: Policies;
  readonly log: Logger;
  /** For the log. */
  readonly about: { readonly file?: string | undefined; readonly store: string; readonly mode: string };
  /** Other rates for some clients, shared by all gateways over the store. */
  readonly overrides: Overrides;
  /** From now on this hears every decision. */
  listen(hear: (event: McpDecisionEvent) => void): void;
  /** Made where somebody may ask for them. */
  readonly metrics?: GatewayMetrics | undefined;
  /** Policies that adapt themselves to the server, and the part of their limit that holds now: 1 is all of it. */
  adapted(): Readonly<Record<string, number>>;
  /** Without a file there is none. */
  readonly reloader?: Reloader | undefined;
  /** Sends the last telemetry. @param leftMs that may take so long, and a second at least. In milliseconds. */
  close(leftMs?: number): Promise<void>;
}

/** Less would not be worth the try. */
const LEAST_TO_SEND_MS = 1_000;

/**
 * @param follows whether the policies follow their file, and SIGHUP: `"file"` follows the file alone
 * @throws CliError, ConfigError, ConfigFileError
 */
export async function openGateway(
  options: CommonOptions & AdminOptions,
  { follows }: { readonly follows: boolean | "file" },
): Promise<Gateway> {
  const { config, file, log } = settingsOf(options);
  const hasAdmin = options.admin !== undefined || config.admin !== undefined;
  const metrics = hasAdmin ? gatewayMetrics(() => policies.config.tools) : undefined;
  const openTelemetry = follows === false ? undefined : await openTelemetryOf(log);
  const { store, name, close } = openStore({
    address: config.store ?? "memory",
    log,
    onFailure: (account) => failurePolicyOf(policies.config, account),
    metrics,
  });
  const overrides = createOverrides({
    store,
    name: "gateway",
    onError: (error) => log.debug({ err: error }, "overrides cannot be read, and those that are known stay in force"),
  });
  const record = follows === false ? undefined : openRecord(config, store, log);
  const { onDecision, onAdapt, onWaiting } = metrics?.listeners ?? {};
  const telemetry = openTelemetry?.telemetry;
  const listeners = [logDecisions(log), onDecision, telemetry?.listeners.onDecision].filter(
    (hear) => hear !== undefined,
  );
  const hearWaiting = [onWaiting, telemetry?.listeners.onWaiting].filter((hear) => hear !== undefined);
  const levels = new Map<string, { readonly version: number; readonly level: number }>();
  const policies = createPolicies({
    config,
    store,
    overrides,
    record,
    onDecision(event) {
      for (const hear of listeners) hear(event);
    },
    onAdapt(event) {
      onAdapt?.(event);
      levels.set(event.policy, { version: policies.version, level: event.level });
      log.warn(event, "a policy adapts itself to the server: this part of its limit holds now");
    },
    ...(hearWaiting.length > 0 && {
      onWaiting(event) {
        for (const hear of hearWaiting) hear(event);
      },
    }),
    onTools: metrics?.sawTools,
    telemetry,
  });
  const fromLine = {
    ...(options.store !== undefined && { store: options.store }),
    ...(options.shadow && { mode: "shadow" as const }),
    // It goes on as it was begun.
    record: config.record,
  };
  const reloader =
    file === undefined || follows === false
      ? undefined
      : reloadOnChange({ file, policies, log, onHangUp: follows === true, overrides: fromLine });
  return {
    policies,
    log,
    about: { file, store: name, mode: config.mode ?? "enforce" },
    reloader,
    metrics,
    overrides,
    listen: (hear) => void listeners.push(hear),
    adapted() {
      const adapting = (policies.config.policies ?? []).filter(({ adapt = false }) => adapt !== false);
      // A reload begins with all of a limit.
      const levelOf = (name: string) => {
        const last = levels.get(name);
        return last?.version === policies.version ? last.level : 1;
      };
      return Object.fromEntries(adapting.map(({ name }) => [name, levelOf(name)]));
    },
    async close(leftMs = 0) {
      overrides.close();
      await reloader?.close();
      await record?.close();
      await close();
      await openTelemetry?.close(Math.max(leftMs, LEAST_TO_SEND_MS));
    },
  };
}
