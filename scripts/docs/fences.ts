import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A piece of TypeScript in the documentation. */
export interface Fence {
  readonly page: string;
  /** Line of the page on which the code begins, counted from 1. */
  readonly line: number;
  readonly code: string;
  /** Marked with `run`: it is a whole program, and is run. */
  readonly isRun: boolean;
}

/** @param root the repository */
export function fencesOf(root: string, page: string): Fence[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts(| run)\n(.*?)^```$/gms)].map(({ index, 1: mark, 2: code = "" }) => ({
    page,
    line: text.slice(0, index).split("\n").length + 1,
    code,
    isRun: mark === " run",
  }));
}

/** Fences of TypeScript with a mark that there is not. */
export function unknownMarksOf(root: string, page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts (.+)$/gm)]
    .filter(([, mark]) => mark !== "run")
    .map(([whole]) => `${page}: a fence of TypeScript is marked with "run" or not at all, but there is ${whole}`);
}
