import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { createLimiter, memoryStore, type Store } from "sluice";
import { StoreFileError, sqliteStore } from "sluice/sqlite";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// The published sketch "Rate Limiting Without State": what several servers of one user share, and what outlives them.

const SLOW = { timeout: 60_000 };
const DAY_MS = 86_400_000;
/** To noon, on the clocks of all workers. */
const noonOffset = String(DAY_MS / 2 - (Date.now() % DAY_MS));
let folder: string;
let path: string;
const ended: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-sketch-"));
  path = join(folder, "limits.db");
});
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
});

/** A server in a process of its own, and what it says line by line. */
function start(task: string) {
  const worker = join(import.meta.dirname, "worker.ts");
  const child = spawn(process.execPath, ["--no-warnings", worker, task, path, noonOffset], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  ended.push(() => killed(child));
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const tell = () => {
    for (const look of waiting) look();
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    tell();
  });
  child.once("close", tell);
  /** Until there are so many lines, or the process has ended. */
  const heard = (count: number) =>
    new Promise<readonly string[]>((resolve) => {
      const look = () => {
        if (lines.length < count && child.exitCode === null && child.signalCode === null) return;
        waiting.delete(look);
        resolve(lines);
      };
      waiting.add(look);
      look();
    });
  const over = async () => {
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once("close", resolve));
    return lines;
  };
  return { child, heard, over };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await gone;
}

/** What six servers heard that did the same at the same time. */
async function six(task: string): Promise<{ readonly allowed: number; readonly refused: number }> {
  const all = (await Promise.all(Array.from({ length: 6 }, () => start(task).over()))).flat();
  const count = (word: string) => all.filter((line) => line === word).length;
  expect(all.filter((line) => line !== "allowed" && line !== "refused")).toEqual([]);
  return { allowed: count("allowed"), refused: count("refused") };
}

describe("FileBasedRateLimiter.checkLimit(api, limit)", () => {
  it("allows 100 a day to six processes that ask for 200 each: theirs allows 1200", SLOW, async () => {
    expect(await six("check")).toEqual({ allowed: 100, refused: 1_100 });
  });

  it("makes 100 calls a day for six processes that want 200 each", SLOW, async () => {
    expect(await six("run")).toEqual({ allowed: 100, refused: 1_100 });
  });

  it("goes on where a process was killed: nothing is forgotten, and nobody waits for its lock", SLOW, async () => {
    const victim = start("spend");
    await victim.heard(20);
    await killed(victim.child);
    const spent = (await victim.over()).filter((line) => line === "allowed").length;
    const rest = (await start("spend").over()).filter((line) => line === "allowed").length;
    // It may have been killed between the charge of a call and its word.
    expect(spent + rest).toBeLessThanOrEqual(100);
    expect(spent + rest).toBeGreaterThanOrEqual(99);
    expect((await start("check").over()).includes("allowed")).toBe(false);
  });

  it("takes any text for an API: no name is part of a path", async () => {
    const store = sqliteStore({ path });
    ended.push(() => store.close());
    const limiter = createLimiter({ quota: "1/day UTC", store });
    for (const api of ["../../x", "a/b", "ä".repeat(300)]) {
      expect((await limiter.consume(api)).allowed).toBe(true);
      expect((await limiter.consume(api)).allowed).toBe(false);
    }
    expect(readdirSync(folder).every((file) => file.startsWith("limits.db"))).toBe(true);
  });

  it("has a wait for the caller, and gives back what was not used", async () => {
    const clock = manualClock({ wall: new Date("2026-03-01T18:00:00Z") });
    const limiter = createLimiter({ quota: "1/day UTC", store: memoryStore({ clock }) });
    limiter.consume("infura");
    expect(limiter.consume("infura").retryAfterMs).toBe(6 * 3_600_000);
    limiter.refund("infura");
    expect(limiter.consume("infura").allowed).toBe(true);
  });
});

describe("TimeWindowQueue.canMakeRequest(api, limit, windowMs)", () => {
  it("allows 10 in any hour to six processes together", SLOW, async () => {
    expect(await six("window")).toEqual({ allowed: 10, refused: 110 });
  });
});

describe("DistributedRateLimiter.executeWithLock(resource, fn)", () => {
  it("lets the next one in after the holder was killed: theirs lets nobody in any more", SLOW, async () => {
    const holder = start("hold");
    const [held = ""] = await holder.heard(1);
    const waiter = start("lock");
    await killed(holder.child);
    const [next = ""] = await waiter.over();
    const tokens = [held, next].map((line) => Number(/^held (\d+)$/.exec(line)?.[1]));
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
  });
});

describe("FileBasedRateLimiter.cleanup() and clean-up on start", () => {
  it("needs nobody to sweep: what has ended makes room for what comes", async () => {
    const clock = manualClock();
    const store = sqliteStore({ path, clock });
    ended.push(() => store.close());
    const limiter = createLimiter({ quota: "10/min", store });
    for (let day = 0; day < 5; day++) {
      for (let i = 0; i < 100; i++) await limiter.consume(`day ${day}, call ${i}`);
      clock.advanceSync(DAY_MS);
    }
    const database = new DatabaseSync(path, { readOnly: true });
    const { rows } = database.prepare("SELECT count(*) AS rows FROM sluice_states_1").get() as { rows: number };
    database.close();
    expect(rows).toBeLessThan(200);
  });

  it("leaves one database behind, and no file per day or window", async () => {
    const clock = manualClock();
    for (let day = 0; day < 3; day++) {
      const store = sqliteStore({ path, clock });
      await createLimiter({ quota: "10/day UTC", store }).consume("infura");
      await store.close();
      clock.advanceSync(DAY_MS);
    }
    expect(readdirSync(folder)).toEqual(["limits.db"]);
  });
});

describe("the writable-directory check with MCP_TEMP_DIR", () => {
  /** As in the documentation. */
  function limitsStore(directory: string): Store {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return sqliteStore({ path: join(directory, "limits.db") });
    } catch {
      return memoryStore();
    }
  }

  it("makes the folder and the file, for their owner alone", async () => {
    const directory = join(folder, "state", "my-server");
    const store = limitsStore(directory);
    ended.push(() => store.close?.());
    expect((await createLimiter({ quota: "1/day UTC", store }).consume("infura")).allowed).toBe(true);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, "limits.db")).mode & 0o777).toBe(0o600);
  });

  it("goes on in memory where nothing can be written, and says so by the error of the file", async () => {
    const blocked = join(folder, "a-file");
    writeFileSync(blocked, "");
    expect(() => sqliteStore({ path: join(blocked, "limits.db") })).toThrow(StoreFileError);
    const limiter = createLimiter({ quota: "1/day UTC", store: limitsStore(blocked) });
    expect([(await limiter.consume("infura")).allowed, (await limiter.consume("infura")).allowed]).toEqual([
      true,
      false,
    ]);
  });
});
