import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Library } from "./bench-top.ts";
import { type Mutation, mutations } from "./mutations.ts";
import { rules } from "./rules.ts";
import { scenarios } from "./scenarios.ts";

const SOURCE = join(import.meta.dirname, "../../../src");
const folder = mkdtempSync(join(tmpdir(), "sluice-mutations-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The library with one defect. */
async function mutant({ name, file, from, to }: Mutation): Promise<Library> {
  const path = join(SOURCE, file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2)
    throw new Error(`"${name}": the text to replace stands not exactly once in ${file}`);
  const defect = { name: "defect", load: (id: string) => (id === path ? text.replace(from, () => to) : null) };
  const bundle = await rolldown({ input: join(SOURCE, "index.ts"), plugins: [defect], logLevel: "silent" });
  const built = join(folder, `${name.replaceAll(/\W/g, "-")}.mjs`);
  await bundle.write({ file: built, format: "esm" });
  await bundle.close();
  return import(/* @vite-ignore */ pathToFileURL(built).href);
}

/** What finds the defect out: the first rule, or else the first scenario that it breaks. */
async function killer(library: Library): Promise<string | undefined> {
  for (const { name, check } of rules) {
    try {
      await check(library);
    } catch {
      return name;
    }
  }
  for (const { name, seeds, check } of scenarios) {
    for (let seed = 1; seed <= seeds; seed++) {
      if ((await check(library, seed)).wrong !== undefined) return name;
    }
  }
  return undefined;
}

/** A defect may well leave a rejection to nobody: that is the defect's, and no failure of this test. */
let listeners: NodeJS.UnhandledRejectionListener[] = [];
const ignore = () => {};
beforeAll(() => {
  listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", ignore);
});
afterAll(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", ignore);
  for (const listener of listeners) process.on("unhandledRejection", listener);
});

it.each(mutations)(
  "finds out when $name",
  async (mutation) => {
    expect(await killer(await mutant(mutation))).toBeDefined();
  },
  60_000,
);

it("finds nothing in the library as it is", async () => {
  const unchanged = { name: "nothing", file: "stores/leased/books.ts", from: "hits: 0", to: "hits: 0" };
  const library = await mutant(unchanged);
  for (const { check } of rules) await check(library);
});
