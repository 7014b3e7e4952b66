import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";

/** What one part of the benchmark found, as it is kept in `results/`. */
export interface Results<F> {
  readonly node: string;
  readonly cpu: string;
  readonly date: string;
  readonly rounds: number;
  readonly figures: F;
}

const fileOf = (part: string) => new URL(`results/${part}.json`, import.meta.url);

export function writeResults<F>(part: string, rounds: number, figures: F): void {
  const results: Results<F> = {
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    date: new Date().toISOString().slice(0, 10),
    rounds,
    figures,
  };
  const rounded = JSON.stringify(results, (_, value) => (typeof value === "number" ? short(value) : value), 2);
  writeFileSync(fileOf(part), `${rounded}\n`);
}

export function readResults<F>(part: string): Results<F> {
  return JSON.parse(readFileSync(fileOf(part), "utf8"));
}

/** Four digits are more than any figure here deserves. */
const short = (value: number) => (Number.isInteger(value) ? value : Number(value.toPrecision(4)));
