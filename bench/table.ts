/**
 * Prints the tables of docs/speed.md, made from `results/`; with `--summary` the one of the README. With `--check` it
 * ends with code 1 when a goal is not met.
 */
import type { DecisionResults } from "./decisions/suite.ts";
import type { GatewayResults } from "./gateway/suite.ts";
import { gatewayTables } from "./gateway/tables.ts";
import { goals, isMet } from "./goals.ts";
import type { HeapResults } from "./heap/suite.ts";
import type { HttpResults } from "./http/suite.ts";
import type { LiveResults } from "./live/suite.ts";
import { liveTables } from "./live/tables.ts";
import { markdownTable } from "./markdown-table.ts";
import type { ObserverResults } from "./observers/suite.ts";
import { observerTables } from "./observers/tables.ts";
import type { OutboundResults } from "./outbound/suite.ts";
import { outboundTables } from "./outbound/tables.ts";
import { readResults } from "./results.ts";
import type { SimulateResults } from "./simulate/suite.ts";
import { simulateTables } from "./simulate/tables.ts";
import type { StoreResults } from "./stores/suite.ts";
import { summary } from "./summary.ts";

const decisions = readResults<DecisionResults>("decisions");
const gateway = readResults<GatewayResults>("gateway");
const heap = readResults<HeapResults>("heap");
const http = readResults<HttpResults>("http");
const live = readResults<LiveResults>("live");
const observers = readResults<ObserverResults>("observers");
const outbound = readResults<OutboundResults>("outbound");
const simulate = readResults<SimulateResults>("simulate");
const stores = readResults<StoreResults>("stores");

function decisionTable({ figures }: typeof decisions): string {
  const scenes = Object.values(figures);
  const names = Object.keys(scenes[0]!) as (keyof (typeof scenes)[0])[];
  const rows = names.map((name) => [
    name,
    ...scenes.flatMap((scene) => (["allowed", "refused"] as const).map((one) => scene[name]![one]!.ratio.toFixed(1))),
  ]);
  const head = Object.keys(figures).flatMap((scene) => [`${scene}, allowed`, "refused"]);
  return markdownTable(["CPU time per check, × a bare GCRA that allows", ...head], rows);
}

function heapTable({ figures }: typeof heap): string {
  const rows = Object.entries(figures).map(([name, { perKey, perCheck }]) => [
    name,
    perKey.toFixed(0),
    perCheck.toFixed(0),
  ]);
  return markdownTable(
    ["Memory", "bytes per live key at 1 M keys, its text excluded", "bytes allocated per check"],
    rows,
  );
}

function httpTable({ figures }: typeof http): string {
  const rows = Object.entries(figures).map(([host, variants]) => {
    const added = (variant: keyof typeof variants) => variants[variant]?.added.toFixed(1) ?? "–";
    const neighbour = [added("peer, allowed"), added("peer, refused")];
    return [host, variants.bare!.us.toFixed(1), added("sluice, allowed"), added("sluice, refused"), ...neighbour];
  });
  const head = ["server without a limit", "Sluice adds, allowed", "refused", "the neighbour adds, allowed", "refused"];
  return markdownTable(["CPU µs per request", ...head], rows);
}

function storeTable({ figures }: typeof stores): string {
  const rows = Object.entries(figures.checks).map(([scene, names]) => {
    const exact = names["sluice, exact"]!;
    const lease = names["sluice, leased"];
    return [
      scene,
      `${exact.speed.toFixed(1)} ×`,
      `${exact.cpu.toFixed(2)} ×`,
      lease ? `${lease.speed.toFixed(0)} ×` : "–",
    ];
  });
  return markdownTable(
    ["Redis, × rate-limiter-flexible", "exact, checks/s", "exact, client CPU", "leased, checks/s"],
    rows,
  );
}

const figures = {
  decisions: decisions.figures,
  gateway: gateway.figures,
  heap: heap.figures,
  http: http.figures,
  live: live.figures,
  observers: observers.figures,
  outbound: outbound.figures,
  simulate: simulate.figures,
  stores: stores.figures,
};

function printTables(): void {
  const { node, cpu, date, rounds } = decisions;
  const [some, all] = heap.figures["sluice, token bucket"]!.flood!;
  console.log(`Medians of ${rounds} runs, Node ${node}, ${cpu}, ${date}.\n`);
  console.log(`${decisionTable(decisions)}\n`);
  console.log(`${heapTable(heap)}\n`);
  console.log(
    `A flood of 10 M different keys with the default \`maxKeys\`: ${some.toFixed(0)} MB in use after the first million, ${all.toFixed(0)} MB at the end.\n`,
  );
  console.log(`${httpTable(http)}\n`);
  console.log(`${storeTable(stores)}\n`);
  const { overload, file, bytes } = stores.figures;
  console.log(
    `Four processes that lease 60,000 per minute and ask for three times that use ${(overload.usedShare * 100).toFixed(1)} % of it, with ${overload.callsPerCheck.toFixed(4)} store calls per check. ` +
      `Four processes on one SQLite file: leased ${(file.leased.perSecond / file.plain.perSecond).toFixed(0)} × plain. ` +
      `A key in Redis takes ${bytes["token bucket"]} bytes as a bucket, at most ${bytes["sliding window of 10000"]} as a large sliding window, its name included.`,
  );
  console.log(`\n${outboundTables(outbound.figures)}`);
  console.log(`\n${gatewayTables(gateway.figures)}`);
  console.log(`\n${observerTables(observers.figures)}`);
  console.log(`\n${liveTables(live.figures)}`);
  console.log(`\n${simulateTables(simulate.figures)}`);
}

function printGoals(): void {
  const missed = wanted.filter((goal) => !isMet(goal));
  console.log(`\nOf ${wanted.length} goals, ${wanted.length - missed.length} are met.`);
  if (missed.length > 0) console.log("Not met:\n");
  for (const { what, found, bound } of missed) {
    console.log(`- ${what}: ${found.toFixed(2)}, and it was to be at most ${bound.toFixed(2)}`);
  }
}

const wanted = goals(figures);
if (process.argv.includes("--summary")) {
  console.log(summary(figures));
} else {
  printTables();
  printGoals();
}
for (const goal of wanted) {
  console.error(
    `${isMet(goal) ? "met  " : "MISSED"} ${goal.what}: ${goal.found.toFixed(2)}, at most ${goal.bound.toFixed(2)}`,
  );
}
if (process.argv.includes("--check") && !wanted.every(isMet)) process.exitCode = 1;
