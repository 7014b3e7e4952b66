import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Readable, Writable } from "node:stream";
import { createLimiter } from "sluice";
import { afterEach, describe, expect, it } from "vitest";
import { newPath, openStore } from "./files.ts";

/** The quota of `loop` in the worker. */
const LARGE = "1000000/month UTC";
const WORKER = join(import.meta.dirname, "worker.ts");
const children: ChildProcessByStdio<Writable, Readable, null>[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process with a task; `said` is what it has written so far, `done` resolves when it ends. */
function start(task: string, path: string, count = 0) {
  const child = spawn(process.execPath, ["--no-warnings", WORKER, task, path, String(count)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  let said = "";
  const { promise: done, resolve } = Promise.withResolvers<string>();
  let heard = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    heard();
  });
  child.on("close", () => resolve(said));
  const saying = (isEnough: (said: string) => boolean) =>
    new Promise<void>((enough) => {
      heard = () => isEnough(said) && enough();
      heard();
    });
  return { child, done, saying };
}

function integrityOf(path: string): unknown {
  const database = new DatabaseSync(path);
  const result = database.prepare("PRAGMA integrity_check").get();
  database.close();
  return result;
}

describe("many processes and one file", () => {
  it("allow exactly the budget together", { timeout: 60_000 }, async () => {
    const path = newPath();
    const said = await Promise.all(Array.from({ length: 5 }, () => start("spend", path, 200).done));
    expect(said.map(Number).reduce((sum, one) => sum + one, 0)).toBe(500);
    const limiter = createLimiter({ quota: "500/h", store: openStore({ path }) });
    expect(await limiter.peek("shared")).toMatchObject({ allowed: false, remaining: 0 });
  });

  it("survive kill -9: what was answered is counted, and not more than one call each that was not", {
    timeout: 60_000,
  }, async () => {
    const path = newPath();
    let answered = 0;
    for (let round = 0; round < 3; round++) {
      const workers = Array.from({ length: 3 }, () => start("loop", path));
      await Promise.all(workers.map(({ saying }) => saying((said) => said.length > 200)));
      for (const { child } of workers) child.kill("SIGKILL");
      for (const { done } of workers) answered += (await done).split("+").length - 1;
    }
    expect(integrityOf(path)).toEqual({ integrity_check: "ok" });
    const limiter = createLimiter({ quota: LARGE, store: openStore({ path }) });
    const counted = await Promise.all(
      ["shared", "twin"].map(async (key) => 1_000_000 - (await limiter.peek(key, 0)).remaining),
    );
    expect(counted[0]).toBe(counted[1]);
    expect(counted[0]).toBeGreaterThanOrEqual(answered);
    expect(counted[0]).toBeLessThanOrEqual(answered + 9);
    expect(answered).toBeGreaterThan(900);
    expect((await limiter.consume(["shared", "twin"])).allowed).toBe(true);
  });

  it("keep the limit in every window, while processes are stopped, continued and killed", {
    timeout: 60_000,
  }, async () => {
    const path = newPath();
    const periodMs = 300;
    const workers = Array.from({ length: 4 }, () => start("log", path, periodMs));
    const [first, second, third] = workers;
    const lines = (count: number) => (said: string) => said.split("\n").length > count;
    await first!.saying(lines(20));
    for (let i = 1; i <= 5; i++) {
      second!.child.kill("SIGSTOP");
      await ticks(10);
      second!.child.kill("SIGCONT");
      await first!.saying(lines(20 + i * 10));
    }
    third!.child.kill("SIGKILL");
    await first!.saying(lines(150));
    for (const { child } of workers) child.kill("SIGKILL");
    const said = (await Promise.all(workers.map(({ done }) => done))).join("");
    // Each was decided between its two times: those that begin and end within a period are surely in one window.
    const calls = [...said.matchAll(/^(\d+) (\d+)$/gm)].map(([, begun, answered]) => [Number(begun), Number(answered)]);
    expect(calls.length).toBeGreaterThan(50);
    for (const [start] of calls) {
      const within = calls.filter(([begun, answered]) => begun! >= start! && answered! < start! + periodMs);
      expect(within.length).toBeLessThanOrEqual(40);
    }
  });

  it("killed at any statement leave a call that was charged to both keys or to none", { timeout: 60_000 }, async () => {
    const path = newPath();
    const limiter = createLimiter({ quota: "1000/h", store: openStore({ path }) });
    let charged = 0;
    let survived = 0;
    for (let n = 1; survived === 0; n++) {
      const { stdout, signal } = spawnSync(process.execPath, ["--no-warnings", WORKER, "killed", path, String(n)], {
        encoding: "utf8",
      });
      if (signal === null) survived++;
      const [shared, twin] = await Promise.all(["shared", "twin"].map((key) => limiter.peek(key, 0)));
      expect(shared!.remaining).toBe(twin!.remaining);
      const now = 1000 - shared!.remaining;
      expect(now - charged).toBe(stdout === "+\n" ? 1 : 0);
      charged = now;
      expect(n).toBeLessThan(40);
    }
    expect(charged).toBe(1);
    expect(integrityOf(path)).toEqual({ integrity_check: "ok" });
  });
});

describe("a process that holds the lock", () => {
  it("keeps decisions waiting, and never the event loop", async () => {
    const path = newPath();
    const limiter = createLimiter({ quota: "10/min", store: openStore({ path, busyTimeoutMs: 25_000 }) });
    await limiter.consume("k");
    const holder = start("hold", path);
    await holder.saying((said) => said === "held\n");
    let isDecided = false;
    const decisions = Promise.all(
      Array.from({ length: 20 }, async () => {
        const decision = await limiter.consume("k");
        isDecided = true;
        return decision;
      }),
    );
    // The lock is let go only after the event loop has turned often: a loop that is blocked would never get there.
    await ticks(100);
    expect(isDecided).toBe(false);
    holder.child.stdin.write("let go\n");
    expect((await decisions).map(({ allowed }) => allowed)).toEqual([
      ...new Array<boolean>(9).fill(true),
      ...new Array<boolean>(11).fill(false),
    ]);
  });

  it("keeps no one waiting who only looks, not even behind those who wait", async () => {
    const path = newPath();
    const limiter = createLimiter({ quota: "10/min", store: openStore({ path, busyTimeoutMs: 25_000 }) });
    await limiter.consume("k", 4);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    let isDecided = false;
    const waiting = limiter.consume("k").then((decision) => {
      isDecided = true;
      return decision;
    });
    const looks = await Promise.all([limiter.peek("k", 0), limiter.peek("other", 0)]);
    expect(looks.map(({ remaining }) => remaining)).toEqual([6, 10]);
    expect(isDecided).toBe(false);
    other.exec("COMMIT");
    expect(await waiting).toMatchObject({ allowed: true, remaining: 5 });
    expect((await limiter.peek("k", 0)).remaining).toBe(5);
    other.close();
  });

  it("for too long is an error that says so, and nothing is charged", async () => {
    const path = newPath();
    const limiter = createLimiter({ quota: "10/min", store: openStore({ path, busyTimeoutMs: 30 }) });
    await limiter.consume("k");
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const failed = expect(limiter.consume("k")).rejects;
    await failed.toMatchObject({ name: "StoreBusyError", code: "STORE_BUSY" });
    await expect(limiter.consume("k")).rejects.toThrow("locked for 30 ms, so nothing was decided");
    expect((await limiter.peek("k", 0)).remaining).toBe(9);
    other.exec("COMMIT");
    expect(await limiter.consume("k")).toMatchObject({ allowed: true, remaining: 8 });
    other.close();
  });

  it("while a store is made does not fail it: the first decision waits", async () => {
    const path = newPath();
    const other = new DatabaseSync(path);
    other.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; CREATE TABLE theirs (a)");
    const limiter = createLimiter({ quota: "1/min", store: openStore({ path, busyTimeoutMs: 25_000 }) });
    const decision = limiter.consume("k");
    await ticks(20);
    other.exec("COMMIT");
    expect((await decision).allowed).toBe(true);
    other.close();
  });
});

it("starts five times at once on a file that does not exist", { timeout: 60_000 }, async () => {
  const path = newPath();
  const said = await Promise.all(Array.from({ length: 5 }, () => start("spend", path, 10).done));
  expect(said).toEqual(new Array(5).fill("10\n"));
});

/** So many turns of the timers. */
async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}
