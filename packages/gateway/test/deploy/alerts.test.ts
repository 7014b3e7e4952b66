import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { promtool } from "../../../../scripts/prometheus.ts";

const folder = fileURLToPath(new URL("../../../../deploy/prometheus/", import.meta.url));
const rules = (): any => parse(readFileSync(join(folder, "rules/sluice.yaml"), "utf8"));
const cases: readonly any[] = parse(readFileSync(join(folder, "rules/sluice.test.yaml"), "utf8")).tests;
const alerts: readonly any[] = rules().groups[0].rules;

let checker = "";
beforeAll(() => {
  checker = promtool();
}, 300_000);

function run(args: readonly string[], cwd = folder) {
  const { status, stdout, stderr } = spawnSync(checker, args, { cwd, encoding: "utf8" });
  return { status, text: stdout + stderr };
}

/** What the tests say when one alert is another. */
function testedWith(alert: string, change: (rule: any) => object): string {
  const copy = mkdtempSync(join(tmpdir(), "sluice-alerts-"));
  try {
    cpSync(join(folder, "rules"), copy, { recursive: true });
    const changed = rules();
    changed.groups[0].rules = changed.groups[0].rules.map((rule: any) => (rule.alert === alert ? change(rule) : rule));
    writeFileSync(join(copy, "sluice.yaml"), stringify(changed));
    const { status, text } = run(["test", "rules", "sluice.test.yaml"], copy);
    return status === 0 ? "SUCCESS" : text;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

describe("the configuration of Prometheus", () => {
  it.each([
    ["check", "config", "prometheus.yaml"],
    ["check", "rules", "rules/sluice.yaml"],
    ["test", "rules", "rules/sluice.test.yaml"],
  ])("is good: promtool %s %s %s", (...args) => {
    expect(run(args)).toEqual({ status: 0, text: expect.stringContaining("SUCCESS") });
  });
});

describe("each alert", () => {
  it.each(alerts.map(({ alert }) => alert as string))(
    "has a test in which it fires, and is silent before and beside: %s",
    { timeout: 60_000 },
    (alert) => {
      const own = cases.flatMap(({ alert_rule_test: tests }) => tests).filter(({ alertname }) => alertname === alert);
      expect(own.map(({ exp_alerts: expected }) => expected.length)).toEqual([0, 1]);
      expect(testedWith(alert, (rule) => ({ ...rule, expr: "vector(1) == 0" }))).toContain("FAILED");
      expect(
        testedWith(alert, ({ for: _, ...rule }) => ({ ...rule, expr: rule.expr.replaceAll(/ (>|<|==) \S+/g, "") })),
      ).toContain("FAILED");
    },
  );
});
