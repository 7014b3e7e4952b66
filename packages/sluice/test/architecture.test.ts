import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, it } from "vitest";

/** Each layer imports from those before it, and from itself. The entry of the package may import all but the last. */
const LAYERS = [
  ["algorithms"],
  ["limiter"],
  ["stores", "policy", "answers"],
  ["inbound", "compat", "outbound", "testing"],
  ["observe"],
];
const SOURCE = join(import.meta.dirname, "../src");

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.replaceAll("\\", "/"));
const textOf = (file: string) => readFileSync(join(SOURCE, file), "utf8");

/** What a file imports: files of the house by their path in `src`, everything else by its name. Types count too. */
function importsOf(file: string): string[] {
  const found = textOf(file).matchAll(
    /^(?:import|export)\b[^"';]*\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm,
  );
  return [...found].map(([, named, bare, dynamic]) => {
    const name = (named ?? bare ?? dynamic)!;
    return name.startsWith(".") ? relative(SOURCE, join(SOURCE, dirname(file), name)).replaceAll("\\", "/") : name;
  });
}

const layerOf = (file: string) => LAYERS.findIndex((rooms) => rooms.includes(file.split("/")[0]!));

/** Everything that is loaded with `file`. */
function reachedFrom(file: string, reached = new Set<string>()): Set<string> {
  if (reached.has(file)) return reached;
  reached.add(file);
  if (files.includes(file)) for (const next of importsOf(file)) reachedFrom(next, reached);
  return reached;
}

it("reads imports at all", () => {
  expect(importsOf("stores/memory/memory.ts")).toContain("limiter/store.ts");
  expect(importsOf("index.ts")).toContain("algorithms/token-bucket.ts");
});

it("knows every room of the house", () => {
  expect(files.filter((file) => file !== "index.ts" && layerOf(file) === -1)).toEqual([]);
});

it("imports only from the layers below", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => files.includes(name))
      .filter((name) => (file === "index.ts" ? layerOf(name) === LAYERS.length - 1 : layerOf(name) > layerOf(file)))
      .map((name) => `${file} imports ${name}`),
  );
  expect(wrong).toEqual([]);
});

it("imports files of the house that exist", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file).filter((name) => name.endsWith(".ts") && !files.includes(name)),
  );
  expect(wrong).toEqual([]);
});

it("loads nothing but itself through the root entry: it runs anywhere", () => {
  const reached = [...reachedFrom("index.ts")];
  expect(reached.length).toBeGreaterThan(10);
  expect(reached.filter((name) => !files.includes(name))).toEqual([]);
});

it("needs no test runner for sluice/testing", () => {
  expect([...reachedFrom("testing/index.ts")].filter((name) => !files.includes(name))).toEqual([]);
});

it("keeps files short enough to read", () => {
  const long = files
    .map((file) => ({ file, lines: textOf(file).split("\n").length - 1 }))
    .filter(({ lines }) => lines > 300);
  expect(long).toEqual([]);
});

it("exports nothing named then: a module that does cannot be imported dynamically", () => {
  const then =
    /export\s+(?:async\s+)?(?:function|const|let|class)\s+then\b|export\s*(?:type\s*)?\{[^}]*\b(?:as\s+)?then\s*[,}]/;
  expect("export { a, b as then }").toMatch(then);
  expect("export function then() {}").toMatch(then);
  expect(files.filter((file) => then.test(textOf(file)))).toEqual([]);
});
