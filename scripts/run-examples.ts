// Runs every example that ends by itself: each asserts what it shows, and exits non-zero when it is wrong.
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
for (const manifest of globSync("examples/*/package.json", { cwd: root }).sort()) {
  const { name, scripts = {} } = JSON.parse(readFileSync(join(root, manifest), "utf8"));
  const tests = globSync("test/*.test.ts", { cwd: join(root, dirname(manifest)) });
  if (scripts.check === undefined && tests.length === 0) {
    throw new Error(`${manifest} has neither a script "check" nor tests: an example must prove what it shows.`);
  }
  if (scripts.check === undefined) {
    console.log(`${name}: proven by its tests.`);
    continue;
  }
  console.log(`${name}: npm run check`);
  execFileSync("npm", ["run", "--silent", "check", "-w", name], { cwd: root, stdio: "inherit", timeout: 120_000 });
}
