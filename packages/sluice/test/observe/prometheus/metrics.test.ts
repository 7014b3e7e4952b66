import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { AggregatorRegistry, Counter, Registry } from "prom-client";
import { fallback, leased, memoryStore } from "sluice";
import { createMetrics } from "sluice/prometheus";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { promtool } from "../../../../../scripts/prometheus.ts";
import { version } from "../../../src/observe/version.ts";
import { scene } from "../scene.ts";

let checker = "";
beforeAll(() => {
  checker = promtool();
}, 300_000);

/** Something in every metric. */
async function busy(registry: Registry) {
  const metrics = createMetrics({ registry });
  const { clock, gate, call } = scene({ tools: { t: "1/s" }, wait: true, ...metrics.listeners });
  metrics.observeLimits(() => gate.limits);
  metrics.observeStore(leased(memoryStore({ clock })), "leased");
  metrics.observeStore(fallback(memoryStore({ clock }), "open"), "safe");
  metrics.observeStore(memoryStore({ clock }), "memory");
  (await call("t"))!();
  const waiting = call("t");
  await clock.advance(1_000);
  await waiting;
  metrics.listeners.onAdapt!({ policy: "p", level: 0.5 });
  return metrics;
}

describe("the metrics", () => {
  it.each(["PROMETHEUS_CONTENT_TYPE", "OPENMETRICS_CONTENT_TYPE"] as const)(
    "keep to the conventions of Prometheus: promtool finds nothing (%s)",
    async (type) => {
      const registry = new Registry();
      registry.setContentType(Registry[type] as never);
      await busy(registry);
      // promtool reads the text format alone.
      const text = (await registry.metrics()).replace("# EOF\n", "");
      expect(text.match(/^# HELP /gm)!.length).toBeGreaterThan(30);
      expect(text).not.toMatch(/ (NaN|undefined|Nan)$/m);
      if (type === "OPENMETRICS_CONTENT_TYPE") {
        expect(text).toContain("# TYPE sluice_decisions counter");
        expect(text).toMatch(/^sluice_decisions_total\{/m);
        return;
      }
      const { status, stdout, stderr } = spawnSync(checker, ["check", "metrics"], { input: text, encoding: "utf8" });
      expect(stdout + stderr).toBe("");
      expect(status).toBe(0);
    },
  );

  it("would not pass with a bad name", () => {
    const input =
      "# HELP sluice_wait_milliseconds x\n# TYPE sluice_wait_milliseconds counter\nsluice_wait_milliseconds 1\n";
    const { status, stderr } = spawnSync(checker, ["check", "metrics"], { input, encoding: "utf8" });
    expect(stderr).toContain("counter metrics should have");
    expect(status).not.toBe(0);
  });

  it("stand beside others in one registry, and can be added up over the workers of a cluster", async () => {
    const registry = new Registry();
    new Counter({ name: "mine_total", help: "Mine.", registers: [registry] }).inc();
    registry.setDefaultLabels({ app: "shop" });
    await busy(registry);
    expect(await registry.metrics()).toMatch(/^mine_total\{app="shop"\} 1$/m);
    expect(await registry.metrics()).toMatch(/^sluice_decisions_total\{.*app="shop"\} 1$/m);
    const both = AggregatorRegistry.aggregate([await registry.getMetricsAsJSON(), await registry.getMetricsAsJSON()]);
    const text = await both.metrics();
    expect(text).toMatch(/^sluice_decisions_total\{.*decision="allow".*\} 2$/m);
    expect(text).toMatch(/^sluice_utilization_ratio_count\{.*\} 4$/m);
    expect(text).toMatch(/^sluice_build_info\{.*\} 1$/m);
    registry.resetMetrics();
    expect(await registry.metrics()).not.toMatch(/^sluice_decisions_total\{/m);
  });

  it("are those of the documentation", async () => {
    const page = readFileSync(new URL("../../../../../docs/metrics.md", import.meta.url), "utf8");
    const [, names = ""] = page.split("<!-- names");
    const documented = [...names.matchAll(/^\| `(sluice_\w+)` \| (\w+) \| ([^|]*) \|/gm)]
      .filter(([, name]) => !/_config_|_gateway_/.test(name!))
      .map(([, name, type, labels]) => [name, type, [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label)]);
    const registered: unknown[] = [];
    createMetrics({
      registry: {
        registerMetric: ({ name, type, labelNames }) => registered.push([name, type, labelNames]),
      },
    });
    expect(documented).toHaveLength(registered.length);
    expect(documented).toEqual(expect.arrayContaining(registered));
  });

  it("have the version of the package", async () => {
    const { version: published } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
    expect(version).toBe(published);
    const registry = new Registry();
    createMetrics({ registry });
    expect(await registry.metrics()).toContain(`sluice_build_info{version="${version}"} 1`);
  });

  it("can have another prefix, so that two can share a registry", async () => {
    const registry = new Registry();
    createMetrics({ registry });
    expect(() => createMetrics({ registry })).toThrow("already been registered");
    createMetrics({ registry, prefix: "shop_" });
    expect(await registry.metrics()).toContain("shop_build_info");
  });

  it("leave out what cannot be read", async () => {
    const report = vi.spyOn(console, "error").mockImplementation(() => {});
    const registry = new Registry();
    const metrics = createMetrics({ registry });
    metrics.observeLimits(() => {
      throw new Error("closed");
    });
    expect(await registry.metrics()).toContain("sluice_build_info");
    await registry.metrics();
    expect(report).toHaveBeenCalledTimes(1);
    report.mockRestore();
  });

  it.each([
    [{ registry: undefined as never }, "registry is a Registry of prom-client"],
    [{ registry: new Registry(), prefix: "9-" }, "prefix is letters"],
    [{ registry: new Registry(), maxTools: -1 }, "maxTools must be"],
  ])("are refused for options that cannot be: %j", (options, message) => {
    expect(() => createMetrics(options)).toThrow(message);
  });
});
