import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type Started, startMain } from "../cli/start-main.ts";
import { call, type Recorder, send, startRecorder } from "../proxy/http/gateway.ts";
import { type PrometheusServer, startPrometheus } from "./prometheus-server.ts";

const deploy = new URL("../../../../deploy/", import.meta.url);
const textOf = (path: string) => readFileSync(new URL(path, deploy), "utf8");
const dashboard = JSON.parse(textOf("grafana/dashboards/sluice.json"));
const panels: readonly any[] = dashboard.panels;

const POLICY = `
store: sqlite:STORE
wait: 200ms
perClient: 1000/s
tools:
  search: 5/s
policies:
  - { name: trial, quota: 1/s, mode: shadow }
`;

const children: ChildProcess[] = [];
let upstream: Recorder;
let gateway: Started;
let server: PrometheusServer;
let isOver = false;

beforeAll(async () => {
  upstream = await startRecorder();
  const folder = mkdtempSync(join(tmpdir(), "sluice-dashboard-"));
  const file = join(folder, "sluice.yaml");
  writeFileSync(file, POLICY.replace("STORE", join(folder, "limits.sqlite")));
  gateway = await startMain(["--upstream", upstream.url.href, "-c", file]);
  children.push(gateway.child);
  const library = spawn(
    process.execPath,
    ["--no-warnings", fileURLToPath(new URL("library-process.ts", import.meta.url))],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(library);
  const [port] = await once(createInterface({ input: library.stdout }), "line");
  void callAgainAndAgain();

  // The configuration that is deployed, but for where the processes are and how often they are asked.
  const config = parse(textOf("prometheus/prometheus.yaml"));
  const targets: Record<string, string> = {
    "sluice-gateway": gateway.admin.host,
    "sluice-library": `127.0.0.1:${port}`,
  };
  server = await startPrometheus({
    ...config,
    global: { scrape_interval: "500ms", evaluation_interval: "500ms" },
    rule_files: config.rule_files.map((path: string) => fileURLToPath(new URL(`prometheus/${path}`, deploy))),
    scrape_configs: config.scrape_configs.map((job: any) => ({
      ...job,
      static_configs: [{ targets: [targets[job.job_name]] }],
    })),
  });
}, 300_000);

afterAll(async () => {
  isOver = true;
  await server?.stop();
  for (const child of children) child.kill("SIGKILL");
  await upstream.close();
});

/** Traffic through the gateway for as long as the test runs. */
async function callAgainAndAgain(): Promise<void> {
  for (let id = 1; !isOver; id++) await send(gateway.url, call(id, "search")).catch(() => {});
}

/** As Grafana does it. */
const substituted = (expr: string): string =>
  expr
    .replaceAll("$__rate_interval", "5s")
    .replaceAll("$__interval", "5s")
    .replaceAll("$__range", "30s")
    .replaceAll(/\$(job|instance)\b/g, ".*");

/** Asks until there are numbers. Bounded by the time of the test. */
async function untilThereIs(expr: string): Promise<void> {
  while (!(await server.query(expr)).some(({ value }) => Number.isFinite(value)));
}

const queries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }: { expr: string }) => [title, expr] as const),
);

describe("the dashboard", () => {
  it.each(queries)("has data in %s: %s", { timeout: 90_000 }, async (_title, expr) => {
    await untilThereIs(substituted(expr));
  });

  it("has data for its variables and its annotations", { timeout: 90_000 }, async () => {
    for (const { definition } of dashboard.templating.list.filter(({ type }: any) => type === "query")) {
      const [, series, label] = /^label_values\((.*), (\w+)\)$/.exec(definition)!;
      const found = await server.query(`count by (${label}) (${substituted(series!)})`);
      expect(found.map(({ metric }) => metric[label!])).toHaveLength(2);
    }
    for (const { expr } of dashboard.annotations.list) {
      const [changes = ""] = substituted(expr).split(" > ");
      await untilThereIs(changes);
    }
  });

  it("uses its own data source, its variables, and names that are documented", () => {
    const documented = readFileSync(new URL("../docs/metrics.md", deploy), "utf8");
    expect(queries.length).toBeGreaterThan(50);
    for (const [, expr] of queries) {
      const names = expr.match(/\b(sluice|process|nodejs)_\w+/g) ?? [];
      expect(expr).toContain('job=~"$job",instance=~"$instance"');
      for (const name of names.filter((one: string) => one.startsWith("sluice_"))) {
        expect(documented).toContain(`\`${name.replace(/_(bucket|sum|count)$/, "")}\``);
      }
    }
    for (const { type, datasource } of panels) {
      if (type !== "row") expect(datasource).toEqual({ type: "prometheus", uid: "$" + "{datasource}" });
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  it("is provisioned where the compose file puts it", () => {
    const { services } = parse(textOf("docker/observe.yaml"));
    const mounts = Object.fromEntries(services.grafana.volumes.map((one: string) => one.split(":")));
    const [provider] = parse(textOf("grafana/provisioning/dashboards/sluice.yaml")).providers;
    expect(mounts["../grafana/dashboards"]).toBe(provider.options.path);
    expect(mounts["../grafana/provisioning"]).toBe("/etc/grafana/provisioning");
    const [source] = parse(textOf("grafana/provisioning/datasources/prometheus.yaml")).datasources;
    expect(source).toMatchObject({ type: "prometheus", isDefault: true });
    expect(Object.keys(services)).toContain(new URL(source.url).hostname);
    const { scrape_configs } = parse(textOf("prometheus/prometheus.yaml"));
    const [name, port] = scrape_configs[0].static_configs[0].targets[0].split(":");
    expect(services[name].environment.SLUICE_ADMIN).toBe(`0.0.0.0:${port}`);
  });
});

describe("the alerts", () => {
  it("are loaded, evaluated, and none of them fails", { timeout: 90_000 }, async () => {
    const rulesOf = async () => (await server.ask("/api/v1/rules")).groups[0].rules as readonly any[];
    while ((await rulesOf()).some(({ health }) => health === "unknown"));
    expect((await rulesOf()).filter(({ health }) => health !== "ok")).toEqual([]);
  });
});
