import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { UpstreamOptions } from "sluice/outbound";
import { type RedisServer, startRedis } from "../../stores/redis/server.ts";

/** What a worker is to do. */
export interface Orders {
  readonly calls: number;
  readonly upstream: UpstreamOptions;
  /** What it calls. @default nothing: a call takes a while, and that is all */
  readonly url?: string;
  readonly lastMs?: number;
  /** Between two calls at most. @default they come together */
  readonly gapMs?: number;
  /** It counts for itself. */
  readonly isCareless?: boolean;
}

/** A call that a worker made, in milliseconds of the clock of the machine. */
interface Made {
  readonly start: number;
  /** Undefined: its process was killed before. */
  readonly end: number | undefined;
}

export interface Worker {
  readonly child: ChildProcess;
  made(): readonly Made[];
  /** Resolves when it has started so many calls. */
  started(count: number): Promise<void>;
  readonly done: Promise<void>;
  /** It begins to call. */
  go(): void;
  kill(): Promise<void>;
}

const WORKER = join(import.meta.dirname, "worker.ts");
/** Workers compile the same files: the first of them does it for all. */
const compiled = mkdtempSync(join(tmpdir(), "sluice-compiled-"));
process.on("exit", () => rmSync(compiled, { recursive: true, force: true }));

/** What was started, to be ended in any case. */
export const ended: (() => unknown)[] = [];

export async function endAll(): Promise<void> {
  for (const end of ended.splice(0).reverse()) await end();
}

/** A new store by its name, and what keeps it. */
export async function newStore(kind: "memory" | "SQLite" | "Redis"): Promise<{ name: string; redis?: RedisServer }> {
  if (kind === "memory") return { name: "memory" };
  if (kind === "Redis") {
    const redis = await startRedis();
    ended.push(() => redis.stop());
    return { name: `redis=${redis.url}`, redis };
  }
  const folder = mkdtempSync(join(tmpdir(), "sluice-calls-"));
  ended.push(() => rmSync(folder, { recursive: true, force: true }));
  return { name: `sqlite=${join(folder, "calls.db")}` };
}

/** So many workers, which begin together. */
export async function crew(count: number, store: string, orders: Orders): Promise<readonly Worker[]> {
  const workers = await Promise.all(Array.from({ length: count }, () => startWorker(store, orders)));
  for (const worker of workers) worker.go();
  return workers;
}

async function startWorker(store: string, orders: Orders): Promise<Worker> {
  const child = spawn(process.execPath, ["--no-warnings", WORKER, store, JSON.stringify(orders)], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const kill = async () => {
    child.kill("SIGKILL");
    await gone;
  };
  ended.push(kill);
  child.stdin.on("error", () => {});
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const lines: string[] = [];
  let heard = () => {};
  const waits: { readonly is: () => boolean; readonly tell: () => void }[] = [];
  const until = (is: () => boolean) =>
    new Promise<void>((tell) => {
      waits.push({ is, tell });
      heard();
    });
  heard = () => {
    for (const one of [...waits]) {
      if (!one.is()) continue;
      waits.splice(waits.indexOf(one), 1);
      one.tell();
    }
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    heard();
  });
  const countOf = (word: string) => lines.filter((line) => line.startsWith(word)).length;
  const failed = gone.then(() => {
    throw new Error(`A worker ended by itself: ${complaint}`);
  });
  const ready = Promise.race([until(() => lines.includes("ready")), failed]);
  // It may be killed on purpose, when nobody waits for it.
  failed.catch(() => {});
  await ready;
  const done = Promise.race([until(() => lines.includes("done")), failed]);
  done.catch(() => {});
  return {
    child,
    done,
    kill,
    go: () => void child.stdin.write("go\n"),
    started: (count) => Promise.race([until(() => countOf("start") >= count), failed]),
    made() {
      const ends = new Map<string, number>();
      for (const line of lines) {
        const [word, start = "", end] = line.split(" ");
        if (word === "end") ends.set(start, Number(end) / 1e6);
      }
      return lines
        .filter((line) => line.startsWith("start"))
        .map((line) => line.split(" ")[1]!)
        .map((start) => ({ start: Number(start) / 1e6, end: ends.get(start) }));
    },
  };
}

export const startsOf = (workers: readonly Worker[]): readonly number[] =>
  workers.flatMap((worker) => worker.made().map(({ start }) => start));

/** The most calls at once; one whose process was killed counts until then at most, so its end is where it started. */
export function mostAtOnce(workers: readonly Worker[]): number {
  const edges = workers
    .flatMap((worker) => worker.made())
    .flatMap(({ start, end = start }) => [
      { at: start, by: 1 },
      { at: end, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let [now, most] = [0, 0];
  for (const { by } of edges) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}
