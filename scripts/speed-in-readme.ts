// The figures of speed in the README are those of bench/results: checks that, or writes them with --write.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const readme = join(root, "README.md");
const [BEGIN, END] = ["<!-- speed -->", "<!-- /speed -->"];

const tables = execFileSync("node", ["--no-warnings", join(root, "bench/table.ts")], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
}).trim();
const text = readFileSync(readme, "utf8");
const [before, after] = [text.slice(0, text.indexOf(BEGIN) + BEGIN.length), text.slice(text.indexOf(END))];
const wanted = `${before}\n\n${tables}\n\n${after}`;

if (process.argv.includes("--write")) {
  writeFileSync(readme, wanted);
} else if (text !== wanted) {
  console.error("The figures in README.md are not those of bench/results. Run: npm run readme");
  process.exitCode = 1;
}
