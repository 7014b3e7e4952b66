import type { Telemetry } from "sluice/opentelemetry";
import type { Logger } from "../log.ts";

/** Spans and metrics of this process, sent to a collector. */
export interface OpenTelemetry {
  readonly telemetry: Telemetry;
  /** Sends what is left, and gives up after so many milliseconds. */
  close(withinMs: number): Promise<void>;
}

/** The signals that are to be sent, by the variables that OpenTelemetry has for that. */
export interface Signals {
  readonly traces: boolean;
  readonly metrics: boolean;
}

/** Nothing is sent unless an address says where to. */
export function signalsOf(env: NodeJS.ProcessEnv): Signals {
  const isSent = (signal: "TRACES" | "METRICS"): boolean =>
    env.OTEL_SDK_DISABLED?.toLowerCase() !== "true" &&
    env[`OTEL_${signal}_EXPORTER`] !== "none" &&
    Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
  return { traces: isSent("TRACES"), metrics: isSent("METRICS") };
}

/** What takes time to load is loaded only if there is somewhere to send to. */
export async function openTelemetryOf(
  log: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<OpenTelemetry | undefined> {
  const signals = signalsOf(env);
  if (!signals.traces && !signals.metrics) return undefined;
  const { startSdk } = await import("./sdk.ts");
  return startSdk(signals, log, env);
}
