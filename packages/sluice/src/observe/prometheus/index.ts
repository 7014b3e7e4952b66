export type { Names } from "./bounded.ts";
export type { DecisionLike } from "./gate-metrics.ts";
export { createMetrics, type Metrics, type MetricsOptions } from "./metrics.ts";
export type { RegistryLike } from "./types.ts";
