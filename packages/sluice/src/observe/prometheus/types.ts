/** What prom-client calls a Registry, or anything that takes its metrics. */
export interface RegistryLike {
  registerMetric(metric: any): void;
}

/** What a registry shows of a metric, in the form of prom-client. */
export interface Shown {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** How metrics of several processes become one (`AggregatorRegistry`). */
  readonly aggregator: "sum" | "average" | "min" | "max" | "first" | "omit";
  readonly values: readonly ShownValue[];
}

export interface ShownValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of histograms: the name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
}
