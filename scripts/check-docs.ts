// Compiles every TypeScript fence of the documentation, each as a file of its own, and follows every link to a file.
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

interface Fence {
  readonly page: string;
  /** Line of the page on which the code begins, counted from 1. */
  readonly line: number;
  readonly code: string;
}

const root = resolve(import.meta.dirname, "..");
const folder = join(root, "node_modules/.cache/docs-fences");
const pages = globSync(["*.md", "docs/**/*.md", "bench/*.md", "examples/*/*.md", "packages/*/*.md"], { cwd: root });

function fencesOf(page: string): Fence[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ index, 1: code = "" }) => ({
    page,
    line: text.slice(0, index).split("\n").length + 1,
    code,
  }));
}

function brokenLinksOf(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/\]\((?!\w+:)([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !existsSync(resolve(root, dirname(page), target)))
    .map((target) => `${page}: there is no file ${target}`);
}

/** Compiler messages, with the file of a fence replaced by the place in its page. */
function located(output: string, fences: readonly Fence[]): string {
  return output.replaceAll(/\S*fence-(\d+)\.ts\((\d+),(\d+)\)/g, (_whole, fence, line, column) => {
    const { page, line: first } = fences[Number(fence)]!;
    return `${page}:${first + Number(line) - 1}:${column}`;
  });
}

const fences = pages.flatMap(fencesOf);
const problems = pages.flatMap(brokenLinksOf);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
fences.forEach(({ code }, i) => {
  writeFileSync(join(folder, `fence-${i}.ts`), `${code}\nexport {};\n`);
});
const { compilerOptions } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8"));
const paths = Object.fromEntries(
  Object.entries<string[]>(compilerOptions.paths).map(([name, files]) => [
    name,
    files.map((file) => relative(folder, join(root, file))),
  ]),
);
writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({
    extends: relative(folder, join(root, "tsconfig.json")),
    compilerOptions: { paths, noUnusedLocals: false, noUnusedParameters: false, exactOptionalPropertyTypes: false },
    include: ["*.ts"],
  }),
);
try {
  execFileSync("tsc", ["--noEmit", "--pretty", "false", "-p", folder], { encoding: "utf8" });
} catch (error) {
  problems.push(located((error as { stdout: string }).stdout, fences).trim());
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log(`${fences.length} fences compile and all links lead somewhere, on ${pages.length} pages.`);
}
