import * as api from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { createTelemetry } from "sluice/opentelemetry";
import type { Logger } from "../log.ts";
import { version } from "../version.ts";
import type { OpenTelemetry, Signals } from "./open-telemetry.ts";
import { settingsOf } from "./settings.ts";

/** How often is told that nothing can be sent. In milliseconds. */
const TELL_EVERY_MS = 60_000;

/** Starts to send the signals. Addresses, header fields, times and compression are read by the exporters, as OpenTelemetry says. */
export async function startSdk(
  { traces, metrics }: Signals,
  log: Logger,
  env: NodeJS.ProcessEnv,
): Promise<OpenTelemetry> {
  tellOf(log);
  const { sampler, spanDelayMs, metricIntervalMs, protocols } = settingsOf(env, (message) => log.warn(message));
  const resource = defaultResource()
    .merge(resourceFromAttributes({ "service.name": "sluice", "service.version": version }))
    .merge(detectResources({ detectors: [serviceInstanceIdDetector, envDetector] }));
  const spanProcessors = traces
    ? [new BatchSpanProcessor({ exporter: await traceExporter(protocols.traces), scheduledDelayMillis: spanDelayMs })]
    : [];
  const readers = metrics
    ? [
        new PeriodicExportingMetricReader({
          exporter: await metricExporter(protocols.metrics),
          exportIntervalMillis: metricIntervalMs,
          exportTimeoutMillis: Math.min(metricIntervalMs, 10_000),
        }),
      ]
    : [];
  const tracerProvider = new TracerProvider({ resource, sampler, spanProcessors });
  const meterProvider = new MeterProvider({ resource, readers });
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return {
    telemetry: createTelemetry({ api, tracerProvider, meterProvider }),
    async close(withinMs) {
      const sent = Promise.allSettled([tracerProvider.shutdown(), meterProvider.shutdown()]).then(() => true);
      if (await Promise.race([sent, after(withinMs)])) return;
      log.warn({ withinMs }, "the last spans and metrics could not be sent in time");
      leave();
    },
  };
}

async function traceExporter(protocol: string) {
  const { OTLPTraceExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new OTLPTraceExporter();
}

async function metricExporter(protocol: string) {
  const { OTLPMetricExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-metrics-otlp-http")
      : await import("@opentelemetry/exporter-metrics-otlp-proto");
  return new OTLPMetricExporter();
}

const after = (ms: number): Promise<false> => new Promise((resolve) => setTimeout(resolve, ms, false).unref());

/** What still tries to send would keep the process. The exit code is there by then, and what was written has left. */
function leave(): void {
  setImmediate(() => process.stdout.write("", () => process.exit()));
}

/** What the SDK has to say goes into the log of the gateway: a collector that is away is no reason to say so every few seconds. */
function tellOf(log: Logger): void {
  let toldAt = -Infinity;
  const tell = (message: string, ...more: unknown[]) => {
    if (performance.now() - toldAt < TELL_EVERY_MS) return;
    toldAt = performance.now();
    log.warn({ detail: [message, ...more].join(" ").slice(0, 500) }, "telemetry cannot be sent as it should");
  };
  const nothing = () => {};
  api.diag.setLogger(
    { error: tell, warn: tell, info: nothing, debug: nothing, verbose: nothing },
    { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}
