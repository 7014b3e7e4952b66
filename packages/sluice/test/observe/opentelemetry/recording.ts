import * as api from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { createTelemetry, type TelemetryOptions } from "sluice/opentelemetry";

api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
api.propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
);

/** Telemetry of the real SDK, kept in memory. */
export function recording(options: Partial<TelemetryOptions> = {}) {
  const spanExporter = new InMemorySpanExporter();
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spanExporter })] });
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const telemetry = createTelemetry({ api, tracerProvider, meterProvider, ...options });

  const spans = (): readonly ReadableSpan[] => spanExporter.getFinishedSpans();
  return {
    telemetry,
    tracer: tracerProvider.getTracer("test"),
    spans,
    span(name: string): ReadableSpan {
      const found = spans().filter((one) => one.name === name);
      if (found.length !== 1) {
        throw new Error(
          `There are ${found.length} spans "${name}" among: ${spans()
            .map((one) => one.name)
            .join(", ")}`,
        );
      }
      return found[0]!;
    },
    /** The data points of a metric: attributes and value. */
    async points(name: string): Promise<any[]> {
      metricExporter.reset();
      await reader.forceFlush();
      const all = metricExporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
      return all.filter(({ descriptor }) => descriptor.name === name).flatMap(({ dataPoints }) => dataPoints as any[]);
    },
    async metric(name: string) {
      metricExporter.reset();
      await reader.forceFlush();
      return metricExporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
        .find(({ descriptor }) => descriptor.name === name);
    },
  };
}

export { api };

/** A trace context as a client sends it. */
export const TRACE = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  meta: { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
};
