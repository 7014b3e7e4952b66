// Compiles every TypeScript fence of the documentation, each as a file of its own, runs those that are marked with `run`, and follows every
// link. What is run loads the packages as they are built.
import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type Fence, fencesOf, unknownMarksOf } from "./docs/fences.ts";
import { linkProblemsOf } from "./docs/links.ts";
import { runFences } from "./docs/run-fences.ts";

const root = resolve(import.meta.dirname, "..");
const folder = join(root, "node_modules/.cache/docs-fences");
const pages = globSync(["*.md", "docs/**/*.md", "bench/*.md", "examples/*/*.md", "packages/*/*.md"], { cwd: root });

/** Compiler messages, with the file of a fence replaced by the place in its page. */
function located(output: string, fences: readonly Fence[]): string {
  return output.replaceAll(/\S*fence-(\d+)\.ts\((\d+),(\d+)\)/g, (_whole, fence, line, column) => {
    const { page, line: first } = fences[Number(fence)]!;
    return `${page}:${first + Number(line) - 1}:${column}`;
  });
}

const fences = pages
  .flatMap((page) => fencesOf(root, page))
  .map((fence, i) => ({ ...fence, file: join(folder, `fence-${i}.ts`) }));
const problems = [...linkProblemsOf(root, pages), ...pages.flatMap((page) => unknownMarksOf(root, page))];
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const { file, code } of fences) writeFileSync(file, `${code}\nexport {};\n`);
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
const programs = fences.filter(({ isRun }) => isRun);
problems.push(...(await runFences(programs)));
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log(
    `${fences.length} fences compile, ${programs.length} of them run, and all links lead somewhere, on ${pages.length} pages.`,
  );
}
