import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { ConfigError } from "../../src/config/problem.ts";
import { readConfig } from "../../src/config/read-config.ts";

const read = (file: string) => readFileSync(new URL(`../../../../${file}`, import.meta.url), "utf8");

const page = read("docs/gateway.md");
const files = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""], i) => ({
  name: `yaml ${i + 1}`,
  text,
}));

it.each([...files, { name: "of the example", text: read("examples/gateway/sluice.yaml") }])(
  "policy files of the documentation are good: $name",
  ({ text }) => {
    expect(() => readConfig(text, "docs/gateway.md", {})).not.toThrow();
  },
);

it("shows errors as they are", () => {
  const lines = page.split("\n").filter((line) => line.startsWith("sluice.yaml:"));
  const text =
    'wait: 2s\n#\n#\ntools:\n  search: 10/mn\n#\npolicies:\n  - name: a\n    match: { tol: "x" }\n    quota: 1/s\n';
  let shown = "";
  try {
    readConfig(text, "sluice.yaml", {});
  } catch (error) {
    shown = (error as ConfigError).message;
  }
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(shown).toContain(line.replace(/, …$/, ""));
});
