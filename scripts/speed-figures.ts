// The figures of speed in the README and in docs/speed.md are those of bench/results: checks that, or writes them with --write.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const [BEGIN, END] = ["<!-- speed -->", "<!-- /speed -->"];
const pages = { "README.md": ["--summary"], "docs/speed.md": [] };

for (const [page, args] of Object.entries(pages)) {
  const tables = execFileSync("node", ["--no-warnings", join(root, "bench/table.ts"), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
  const file = join(root, page);
  const text = readFileSync(file, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end === -1) throw new Error(`${page} has no place for figures: ${BEGIN} and ${END}.`);
  const wanted = `${text.slice(0, begin + BEGIN.length)}\n\n${tables}\n\n${text.slice(end)}`;
  if (process.argv.includes("--write")) {
    writeFileSync(file, wanted);
  } else if (text !== wanted) {
    console.error(`The figures in ${page} are not those of bench/results. Run: npm run figures`);
    process.exitCode = 1;
  }
}
