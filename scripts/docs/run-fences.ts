import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Fence } from "./fences.ts";

/** Where the servers of the documentation keep their files: here each program has a folder of its own instead. */
const THEIR_FOLDER = "/var/lib/my-server";
const PATIENCE_MS = 30_000;

/** Runs fences, each as a program of its own: it ends by itself, or when it listens. Returns what went wrong. */
export async function runFences(fences: readonly (Fence & { readonly file: string })[]): Promise<string[]> {
  const problems: string[] = [];
  const waiting = [...fences];
  const work = async () => {
    for (let fence = waiting.pop(); fence !== undefined; fence = waiting.pop()) {
      // Node takes no TypeScript from node_modules, where fences are put so that they find the packages.
      const program = fence.file.replace(/\.ts$/, ".mjs");
      const folder = mkdtempSync(join(tmpdir(), "sluice-docs-"));
      writeFileSync(program, stripTypeScriptTypes(fence.code).replaceAll(THEIR_FOLDER, folder));
      const problem = await run(program, folder);
      rmSync(folder, { recursive: true });
      if (problem !== undefined) problems.push(`${fence.page}:${fence.line}: ${problem}`);
    }
  };
  await Promise.all([work(), work()]);
  return problems.sort();
}

async function run(file: string, cwd: string): Promise<string | undefined> {
  const before = `${import.meta.dirname}/listen-anywhere.ts`;
  try {
    await promisify(execFile)(process.execPath, ["--no-warnings", "--import", before, file], {
      cwd,
      timeout: PATIENCE_MS,
    });
    return undefined;
  } catch (error) {
    const { killed, code, stderr } = error as { killed: boolean; code: number; stderr: string };
    if (killed) return `it has not ended after ${PATIENCE_MS / 1000} s`;
    return `it ended with ${code}\n${stderr.trim()}`;
  }
}
