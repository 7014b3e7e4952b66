// A server over stdio for the tests, which sends its telemetry to a collector: `node traced-stdio-server.ts v1|v2 <endpoint>`.

import { StdioServerTransport as V1Stdio } from "@modelcontextprotocol/sdk/server/stdio.js";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import * as api from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { rateLimit } from "../../../src/inbound/mcp/index.ts";
import { createTelemetry } from "../../../src/observe/opentelemetry/index.ts";
import { newLog, v1Server, v2Server } from "../../inbound/mcp/servers.ts";

const [, , generation, endpoint] = process.argv;
api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
api.propagation.setGlobalPropagator(new W3CTraceContextPropagator());
api.trace.setGlobalTracerProvider(
  new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }) })],
  }),
);
const exporter = new OTLPMetricExporter({ url: `${endpoint}/v1/metrics` });
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 200, exportTimeoutMillis: 200 });
api.metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

const telemetry = createTelemetry({ api });
const limited = (server: any) =>
  telemetry.server(rateLimit(server, { tools: { echo: "1/min" }, ...telemetry.listeners }));
if (generation === "v1") await limited(v1Server(newLog())).connect(new V1Stdio());
else serveStdio(() => limited(v2Server(newLog())));
