import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, expect, it } from "vitest";
import { type Mutation, mutations } from "./mutations.ts";
import type { rules } from "./rules.ts";
import type { judged, scenarios } from "./scenarios.ts";

interface Proof {
  readonly rules: typeof rules;
  readonly scenarios: typeof scenarios;
  readonly judged: typeof judged;
}

const PACKAGE = join(import.meta.dirname, "../../..");
const LIVES = 60;
const folder = mkdtempSync(join(tmpdir(), "sluice-queue-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The proof, of a definition or of a client with one defect. */
async function mutant({ name, file, from, to }: Mutation): Promise<Proof> {
  const path = join(PACKAGE, file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2) throw new Error(`"${name}": what to replace stands not exactly once in ${file}`);
  const input = join(import.meta.dirname, "proof.js");
  const parts = ["rules.ts", "scenarios.ts"].map((part) => `export * from ${JSON.stringify(`./${part}`)};`);
  const plugin = {
    name: "defect",
    resolveId: (id: string) => (id === input ? id : null),
    load: (id: string) => (id === path ? text.replace(from, () => to) : id === input ? parts.join("\n") : null),
  };
  const bundle = await rolldown({ input, plugins: [plugin], platform: "node", logLevel: "silent" });
  const built = join(folder, `${name.replaceAll(/\W/g, "-")}.mjs`);
  await bundle.write({ file: built, format: "esm" });
  await bundle.close();
  return import(/* @vite-ignore */ pathToFileURL(built).href);
}

/** What finds the defect out: the first rule, or else the first life that goes wrong. */
async function killer({ rules, scenarios, judged }: Proof): Promise<string | undefined> {
  for (const { name, check } of rules) {
    try {
      check();
    } catch {
      return name;
    }
  }
  for (let seed = 1; seed <= LIVES; seed++) {
    for (const scenario of scenarios) {
      try {
        if ((await judged(scenario, seed)).wrong !== undefined) return scenario.name;
      } catch {
        return scenario.name;
      }
    }
  }
  return undefined;
}

it.each(mutations)(
  "finds out when $name",
  async (mutation) => {
    expect(await killer(await mutant(mutation))).toBeDefined();
  },
  120_000,
);

it("finds nothing in the definition as it is", async () => {
  const nothing = { name: "nothing", file: "src/limiter/exchange.ts", from: "sweep(terms, state, now)" };
  const { rules } = await mutant({ ...nothing, to: nothing.from });
  for (const { check } of rules) check();
});
