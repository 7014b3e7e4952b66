export type { DecisionLike } from "./decisions.ts";
export type { Carriage, Operation } from "./operations.ts";
export { createTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";
export type { TracedFetchOptions } from "./traced-fetch.ts";
export type { MeterProviderLike, OpenTelemetryApi, TracerProviderLike } from "./types.ts";
