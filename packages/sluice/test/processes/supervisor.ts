import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type LoggedCall, readCallLog } from "./log.ts";
import type { Load } from "./workload.ts";

const WORKER = join(import.meta.dirname, "worker.ts");

export interface HammerOptions {
  readonly task: "rates" | "places";
  /** As `openNamed` takes it. */
  readonly store: string;
  /** For the logs. Exists, and is empty. */
  readonly folder: string;
  readonly random: () => number;
  /** @default 8 */
  readonly workers?: number;
  /** Things that are done to them. */
  readonly rounds: number;
  /** Afterwards nothing is done to them for so long. */
  readonly calmMs: number;
  readonly load: Load;
}

/** What happened. Times are nanoseconds of `process.hrtime`. */
export interface HammerReport {
  readonly calls: readonly LoggedCall[];
  /** Started and killed, those that lived to the end too. */
  readonly processes: number;
  readonly stops: number;
  readonly calm: { readonly from: number; readonly until: number };
}

const nanoseconds = () => Number(process.hrtime.bigint());

/**
 * Lets processes hammer a store while it kills them, stops them and has them go on, as the random numbers
 * will. A killed one is followed by a new one. In the end all are killed.
 */
export async function hammer(options: HammerOptions): Promise<HammerReport> {
  const { task, store, folder, random, workers: count = 8, rounds, calmMs, load } = options;
  const below = (end: number) => Math.floor(random() * end);
  let started = 0;
  let stops = 0;
  const start = () => {
    const args = [
      task,
      store,
      join(folder, `${++started}.log`),
      String(below(2 ** 31)),
      String(load.size),
      String(load.stretch),
    ];
    return startWorker(args, join(folder, "../compiled"));
  };
  const workers = Array.from({ length: count }, start);
  try {
    await Promise.all(workers.map(({ ready }) => ready));
    for (let round = 0; round < rounds; round++) {
      const victim = below(workers.length);
      const { child } = workers[victim]!;
      const fate = random();
      if (fate < 0.4) {
        await killed(child);
        workers[victim] = start();
      } else if (fate < 0.9) {
        child.kill("SIGSTOP");
        stops++;
        await pause(below(120));
        // Some never go on: they are killed as they stand.
        if (random() < 0.2) {
          await killed(child);
          workers[victim] = start();
        } else child.kill("SIGCONT");
      }
      await pause(10 + below(100));
    }
    await Promise.all(workers.map(({ ready }) => ready));
    const from = nanoseconds();
    await pause(calmMs);
    const until = nanoseconds();
    for (const { child } of workers) assertAlive(child);
    await Promise.all(workers.map(({ child }) => killed(child)));
    const calls = readdirSync(folder).flatMap((file) => readCallLog(join(folder, file)));
    return { calls, processes: started, stops, calm: { from, until } };
  } finally {
    for (const { child } of workers) child.kill("SIGKILL");
  }
}

function startWorker(args: readonly string[], compiled: string) {
  const child = spawn(process.execPath, ["--no-warnings", WORKER, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("close", (code, signal) =>
      signal === "SIGKILL" ? resolve() : reject(new Error(`A worker ended by itself with code ${code}: ${complaint}`)),
    );
  });
  // It may fail while nobody waits for it yet.
  ready.catch(() => {});
  return { child, ready };
}

/** Killed, and gone: what it wrote is in its log. */
async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

function assertAlive(child: ChildProcess): void {
  if (child.exitCode !== null) throw new Error(`A worker ended by itself with code ${child.exitCode}.`);
}
