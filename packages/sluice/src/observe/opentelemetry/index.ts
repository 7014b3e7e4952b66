export { type OpenTelemetryOptions, openTelemetry, type Telemetry } from "./opentelemetry.ts";
export type { Carriage, Operation } from "./operations.ts";
export type { TracedFetchOptions } from "./traced-fetch.ts";
export type { MeterProviderLike, OpenTelemetryApi, TracerProviderLike } from "./types.ts";
