import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { startRedis } from "../../stores/redis/server.ts";

const SLOW = { timeout: 60_000 };
const ended: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

/** Where processes find their store: by its kind. */
const kinds: Readonly<Record<string, (folder: string) => Promise<string>>> = {
  SQLite: async (folder) => `sqlite=${join(folder, "lock.db")}`,
  async Redis() {
    const redis = await startRedis();
    ended.push(() => redis.stop());
    return `redis=${redis.url}`;
  },
  careless: async (folder) => `careless=${join(folder, "careless.db")}`,
};

async function setUp(kind: string, leaseMs = 400) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-lock-"));
  ended.push(() => rmSync(folder, { recursive: true, force: true }));
  const store = await kinds[kind]!(folder);
  return { store, start: (task: string) => startWorker([task, store, folder, String(leaseMs)]) };
}

/** A process that says things line by line. */
function startWorker(args: readonly string[]) {
  const worker = join(import.meta.dirname, "worker.ts");
  const child = spawn(process.execPath, ["--no-warnings", worker, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  ended.push(() => killed(child));
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  const heard = () => {
    for (const tell of waiting.splice(0)) tell();
  };
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    heard();
  });
  child.once("close", heard);
  let told = 0;
  return {
    child,
    lines,
    /** The words of the next line. */
    async next(): Promise<readonly string[]> {
      while (lines.length <= told) {
        if (child.exitCode !== null) throw new Error(`The worker has ended: ${complaint}`);
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      return lines[told++]!.split(" ");
    },
  };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await gone;
}

/** A time in which a process surely was inside, known by its token. */
interface Inside {
  readonly token: number;
  readonly from: bigint;
  until: bigint;
}

function insides(lines: readonly string[]): Inside[] {
  const byToken = new Map<number, Inside>();
  for (const line of lines) {
    const [, token = "", at = ""] = /^in (\d+) (\d+)$/.exec(line) ?? [];
    if (at === "") continue;
    const known = byToken.get(Number(token));
    if (known === undefined) byToken.set(Number(token), { token: Number(token), from: BigInt(at), until: BigInt(at) });
    else known.until = BigInt(at);
  }
  return [...byToken.values()];
}

/**
 * Four processes with two lines each, some of which are killed with `kill -9` and replaced.
 *
 * @param leaseMs a process that gets no turn for so long would lose the lock, and be right in that
 */
async function hammer(kind: string, { kills = 0, leaseMs = 2_000, lastsMs = 300 }) {
  const { start } = await setUp(kind, leaseMs);
  const workers = Array.from({ length: 4 }, () => start("hammer"));
  const all = [...workers];
  await Promise.all(workers.map((worker) => worker.next()));
  for (let round = 0; round < kills; round++) {
    const victim = workers[round % workers.length]!;
    await victim.next();
    await killed(victim.child);
    const next = start("hammer");
    workers[round % workers.length] = next;
    all.push(next);
    await Promise.all(workers.map((worker) => worker.next()));
  }
  await pause(lastsMs);
  await Promise.all(workers.map(({ child }) => killed(child)));
  return all.flatMap(({ lines }) => insides(lines)).sort((a, b) => (a.from < b.from ? -1 : 1));
}

const overlaps = (all: readonly Inside[]) =>
  all.slice(1).filter((one, i) => one.from < all[i]!.until || one.token <= all[i]!.token);

describe.each(["SQLite", "Redis"])("a lock over %s", (kind) => {
  it("lets one of four processes in at a time, with growing tokens, while holders are killed", SLOW, async () => {
    const all = await hammer(kind, { kills: 4 });
    expect(all.length).toBeGreaterThan(20);
    expect(overlaps(all)).toEqual([]);
  });

  it("is free again after a holder was killed", SLOW, async () => {
    const { start } = await setUp(kind);
    const holder = start("keep");
    const [, token] = await holder.next();
    await killed(holder.child);
    const [wrote, later, answer] = await start("write").next();
    expect([wrote, answer]).toEqual(["wrote", "accepted"]);
    expect(Number(later)).toBeGreaterThan(Number(token));
  });

  it(
    "is lost to a holder that was stopped for longer than its lease: its signal aborts, its token is refused",
    SLOW,
    async () => {
      const { start } = await setUp(kind);
      const holder = start("keep");
      const [, token] = await holder.next();
      holder.child.kill("SIGSTOP");
      const [, later, answer] = await start("write").next();
      expect(Number(later)).toBeGreaterThan(Number(token));
      expect(answer).toBe("accepted");
      holder.child.kill("SIGCONT");
      expect(await holder.next()).toEqual(["lost", "LOCK_LOST", "refused"]);
      expect(await holder.next()).toEqual(["failed", "LOCK_LOST"]);
    },
  );
});

it("a lock over Redis is lost when Redis forgets it, and later tokens are greater all the same", SLOW, async () => {
  const { start, store } = await setUp("Redis");
  const holder = start("keep");
  const [, token] = await holder.next();
  const { Redis } = await import("ioredis");
  const client = new Redis(store.replace("redis=", ""), { autoResendUnfulfilledCommands: false });
  await client.flushall();
  client.disconnect();
  const [, later, answer] = await start("write").next();
  expect(Number(later)).toBeGreaterThan(Number(token));
  expect(answer).toBe("accepted");
  // Whether it noticed before the other one wrote is a matter of luck.
  expect((await holder.next()).slice(0, 2)).toEqual(["lost", "LOCK_LOST"]);
});

it("finds out a store that reads, thinks and writes", SLOW, async () => {
  // Where the machine is busy, each process may have it for itself for as long as it thinks.
  while (overlaps(await hammer("careless", { leaseMs: 300, lastsMs: 2_000 })).length === 0);
});
