import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";

/** Variables that neither the SDK nor its exporters read by themselves. What cannot be is told, and the default holds. */
export interface Settings {
  readonly sampler: Sampler;
  readonly metricIntervalMs: number;
  readonly spanDelayMs: number;
  /** Of the spans, and of the metrics. */
  readonly protocols: { readonly traces: Protocol; readonly metrics: Protocol };
}

type Protocol = "http/protobuf" | "http/json";

/** @param warn is told what was found, and what is taken instead */
export function settingsOf(env: NodeJS.ProcessEnv, warn: (message: string) => void): Settings {
  const milliseconds = (name: string, otherwise: number): number => {
    const text = env[name];
    if (!text) return otherwise;
    const value = Number(text);
    if (Number.isSafeInteger(value) && value > 0) return value;
    warn(`${name} is a number of milliseconds, but it is ${JSON.stringify(text)}: ${otherwise} are taken`);
    return otherwise;
  };

  const protocol = (signal: "TRACES" | "METRICS"): Protocol => {
    const text = env[`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`] || env.OTEL_EXPORTER_OTLP_PROTOCOL || "http/protobuf";
    if (text === "http/protobuf" || text === "http/json") return text;
    warn(
      `the OTLP protocol is http/protobuf or http/json here, but it is ${JSON.stringify(text)}: http/protobuf is taken`,
    );
    return "http/protobuf";
  };

  return {
    sampler: samplerOf(env, warn),
    metricIntervalMs: milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
    spanDelayMs: milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5_000),
    protocols: { traces: protocol("TRACES"), metrics: protocol("METRICS") },
  };
}

function samplerOf(env: NodeJS.ProcessEnv, warn: (message: string) => void): Sampler {
  const name = env.OTEL_TRACES_SAMPLER || "parentbased_always_on";
  const ratio = (): Sampler => {
    const text = env.OTEL_TRACES_SAMPLER_ARG || "1";
    const part = Number(text);
    if (part >= 0 && part <= 1) return new TraceIdRatioBasedSampler(part);
    warn(`OTEL_TRACES_SAMPLER_ARG is a number from 0 to 1, but it is ${JSON.stringify(text)}: all traces are sampled`);
    return new AlwaysOnSampler();
  };
  const samplers: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: ratio,
    parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
    parentbased_traceidratio: () => new ParentBasedSampler({ root: ratio() }),
  };
  const make = Object.hasOwn(samplers, name) ? samplers[name] : undefined;
  if (make !== undefined) return make();
  const known = Object.keys(samplers).join(", ");
  warn(`OTEL_TRACES_SAMPLER is one of ${known}, but it is ${JSON.stringify(name)}: parentbased_always_on is taken`);
  return samplers.parentbased_always_on!();
}
