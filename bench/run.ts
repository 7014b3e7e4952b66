/** Runs the benchmark, or the parts that are named: `decisions`, `gateway`, `heap`, `http`, `live`, `observers`, `outbound`, `simulate`, `stores`. Writes `results/`. */
import { decisions } from "./decisions/suite.ts";
import { gateway } from "./gateway/suite.ts";
import { heap } from "./heap/suite.ts";
import { http } from "./http/suite.ts";
import { live } from "./live/suite.ts";
import { observers } from "./observers/suite.ts";
import { outbound } from "./outbound/suite.ts";
import { writeResults } from "./results.ts";
import { simulate } from "./simulate/suite.ts";
import { stores } from "./stores/suite.ts";

const ROUNDS = {
  decisions: 5,
  gateway: 1,
  heap: 5,
  http: 5,
  live: 1,
  observers: 3,
  outbound: 1,
  simulate: 5,
  stores: 3,
};
const LONGEST_MS = 25 * 60_000;
const parts = { decisions, gateway, heap, http, live, observers, outbound, simulate, stores };

const named = process.argv.slice(2).filter((argument) => argument in parts) as (keyof typeof parts)[];

const limit = setTimeout(() => {
  console.error("The benchmark takes longer than twenty-five minutes: something hangs, or the machine is busy.");
  process.exit(1);
}, LONGEST_MS);

for (const part of named.length > 0 ? named : (Object.keys(parts) as (keyof typeof parts)[])) {
  console.error(`# ${part}`);
  writeResults(part, ROUNDS[part], await parts[part](ROUNDS[part]));
}
clearTimeout(limit);
await import("./table.ts");
