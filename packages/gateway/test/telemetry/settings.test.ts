import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openTelemetryOf, signalsOf } from "../../src/telemetry/open-telemetry.ts";
import { settingsOf } from "../../src/telemetry/settings.ts";

const SOURCE = fileURLToPath(new URL("../../src/", import.meta.url));

describe("what is sent", () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

  it.each([
    ["nothing by default", {}, { traces: false, metrics: false }],
    ["both with an address", endpoint, { traces: true, metrics: true }],
    ["nothing with an empty one", { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, { traces: false, metrics: false }],
    ["one with its own", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://x/t" }, { traces: true, metrics: false }],
    ["not what is off", { ...endpoint, OTEL_METRICS_EXPORTER: "none" }, { traces: true, metrics: false }],
    ["nothing if all is off", { ...endpoint, OTEL_SDK_DISABLED: "TRUE" }, { traces: false, metrics: false }],
  ])("is %s", (_what, env, signals) => {
    expect(signalsOf(env)).toEqual(signals);
  });

  it("costs nothing at the start without an address: nothing of OpenTelemetry is loaded", async () => {
    expect(await openTelemetryOf({} as any, {})).toBeUndefined();
    const files = globSync("**/*.ts", { cwd: SOURCE });
    const loading = (module: RegExp) => files.filter((file) => module.test(valuesOf(file))).sort();
    expect(loading(/from "(@opentelemetry|sluice\/opentelemetry)/)).toEqual([
      "telemetry/sdk.ts",
      "telemetry/settings.ts",
    ]);
    expect(loading(/from "[^"]*\/telemetry\/(sdk|settings)\.ts"|from "\.\/sdk\.ts"/)).toEqual([]);
  });
});

/** A file without its imports of types, which load nothing. */
const valuesOf = (file: string): string => readFileSync(SOURCE + file, "utf8").replaceAll(/^import type [^;]*;$/gm, "");

describe("settings", () => {
  const read = (env: Record<string, string>) => {
    const warnings: string[] = [];
    return { ...settingsOf(env, (message) => warnings.push(message)), warnings };
  };

  it("are those of OpenTelemetry by default", () => {
    const { sampler, warnings, ...rest } = read({});
    expect(String(sampler)).toMatch(/^ParentBased\{root=AlwaysOnSampler/);
    expect(rest).toEqual({
      metricIntervalMs: 60_000,
      spanDelayMs: 5_000,
      protocols: { traces: "http/protobuf", metrics: "http/protobuf" },
    });
    expect(warnings).toEqual([]);
  });

  it("are read from the variables", () => {
    const { sampler, warnings, ...rest } = read({
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
      OTEL_METRIC_EXPORT_INTERVAL: "1000",
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/protobuf",
    });
    expect(String(sampler)).toContain("root=TraceIdRatioBased{0.25}");
    expect(rest).toEqual({
      metricIntervalMs: 1_000,
      spanDelayMs: 200,
      protocols: { traces: "http/json", metrics: "http/protobuf" },
    });
    expect(warnings).toEqual([]);
  });

  it.each([
    ["OTEL_TRACES_SAMPLER", "sometimes", /parentbased_traceidratio, but it is "sometimes"/],
    ["OTEL_TRACES_SAMPLER", "toString", /but it is "toString"/],
    ["OTEL_METRIC_EXPORT_INTERVAL", "1m", /milliseconds, but it is "1m": 60000 are taken/],
    ["OTEL_BSP_SCHEDULE_DELAY", "-5", /milliseconds, but it is "-5": 5000 are taken/],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", /http\/json here, but it is "grpc": http\/protobuf is taken/],
  ])("say what is wrong: %s=%s", (name, value, message) => {
    expect(read({ [name]: value }).warnings).toContainEqual(expect.stringMatching(message));
  });

  it("say what is wrong with a ratio", () => {
    const { sampler, warnings } = read({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "50%" });
    expect(String(sampler)).toBe("AlwaysOnSampler");
    expect(warnings).toEqual([expect.stringContaining('from 0 to 1, but it is "50%"')]);
  });
});
