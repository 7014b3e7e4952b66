import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync, readdirSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { newPath, openStore } from "../files.ts";
import { LIMIT, PERIOD_MS, placeRule, terms, termsWith } from "./terms.ts";

const WORKER = join(import.meta.dirname, "worker.ts");
const children: ChildProcessByStdio<Writable, Readable, null>[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function start(path: string, owner: string, calls: number) {
  const child = spawn(process.execPath, ["--no-warnings", WORKER, path, owner, String(calls)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  let said = "";
  let heard = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    heard();
  });
  return {
    child,
    starts: () => [...said.matchAll(/^\d+$/gm)].map(Number),
    until: (isEnough: (said: string) => boolean) =>
      new Promise<void>((enough) => {
        heard = () => isEnough(said) && enough();
        heard();
      }),
  };
}

const isDone = (said: string) => said.includes("done");
const hasStarted = (count: number) => (said: string) => (said.match(/^\d+$/gm) ?? []).length >= count;

/** The most starts in any period. */
function worstOf(starts: readonly number[]): number {
  const sorted = starts.toSorted((a, b) => a - b);
  return Math.max(...sorted.map((time, i) => sorted.slice(i).filter((one) => one < time + PERIOD_MS * 1000).length));
}

it("is never above the limit with four processes, and all calls start", { timeout: 60_000 }, async () => {
  const path = newPath();
  const workers = [1, 2, 3, 4].map((i) => start(path, `worker-${i}`, 25));
  await Promise.all(workers.map(({ until }) => until(isDone)));
  const starts = workers.flatMap((worker) => worker.starts());
  expect(starts.length).toBe(100);
  expect(worstOf(starts)).toBeLessThanOrEqual(LIMIT);
});

it("goes on when the first in line is killed, and when others are stopped for long", { timeout: 60_000 }, async () => {
  const path = newPath();
  const first = start(path, "first", 60);
  await first.until(hasStarted(5));
  const others = ["second", "third", "fourth"].map((owner) => start(path, owner, 20));
  await Promise.all(others.map(({ until }) => until((said) => said.includes("here"))));
  await first.until(hasStarted(15));
  first.child.kill("SIGKILL");
  const [second, ...rest] = others;
  // It may hold the lock of the file when it stops: so it runs for a moment now and then.
  const stopped = stopAgainAndAgain(second!.child);
  await Promise.all(rest.map(({ until }) => until(isDone)));
  stopped.end();
  await second!.until(isDone);
  const starts = [first, ...others].flatMap((worker) => worker.starts());
  expect(others.map((worker) => worker.starts().length)).toEqual([20, 20, 20]);
  expect(worstOf(starts)).toBeLessThanOrEqual(LIMIT);
});

it("removes what the dead leave behind", { timeout: 60_000 }, async () => {
  const path = newPath();
  const workers = ["first", "second"].map((owner) => start(path, owner, 1));
  await Promise.all(workers.map(({ until }) => until(isDone)));
  for (const { child } of workers) child.kill("SIGKILL");
  const queue = openStore({ path }).queue(terms, { owner: "last", inform() {} });
  const bells = () => readdirSync(dirname(path)).filter((name) => name.includes("-bell-")).length;
  await queue.exchange({});
  expect(bells()).toBe(3);
  await expect.poll(async () => (await queue.exchange({})) && bells(), { timeout: 20_000 }).toBe(1);
});

it("tells other processes at once: nobody has to ask", { timeout: 60_000 }, async () => {
  const path = newPath();
  const store = openStore({ path });
  const terms = termsWith([placeRule], { ownerLife: 60_000_000 });
  const heard = Promise.withResolvers<number>();
  const granted = (ids: readonly number[]) => ids.length > 0 && heard.resolve(ids[0]!);
  const waiting = store.queue(terms, { owner: "a", inform: ({ grants }) => granted(grants.map(({ id }) => id)) });
  const { grants } = await waiting.exchange({ enter: [{ id: 1, lane: "~a~x", cost: 1, offset: 0 }] });
  await waiting.exchange({ enter: [{ id: 2, lane: "~a~x", cost: 1, offset: 0 }] });
  // Another process gives back the place of the first call, as if it were its own.
  const source = `
    const { sqliteStore } = await import(${JSON.stringify(new URL("../../../../src/stores/sqlite/sqlite.ts", import.meta.url).href)});
    const { placeRule, termsWith } = await import(${JSON.stringify(new URL("./terms.ts", import.meta.url).href)});
    const store = sqliteStore({ path: process.argv[1] });
    const queue = store.queue(termsWith([placeRule], { ownerLife: 60_000_000 }), { owner: "b", inform() {} });
    await queue.exchange({ ended: [${JSON.stringify(grants[0])}] });
    await queue.close();
    await store.close();`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", source, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  expect(await heard.promise).toBe(2);
});

it("hangs up its bell again when somebody has removed it", { timeout: 60_000 }, async () => {
  const path = newPath();
  const queue = openStore({ path }).queue(terms, { owner: "a", inform() {} });
  await queue.exchange({});
  const bells = () => readdirSync(dirname(path)).filter((name) => name.includes("-bell-"));
  const [file] = bells();
  unlinkSync(join(dirname(path), file!));
  await expect.poll(() => existsSync(join(dirname(path), file!)), { timeout: 20_000 }).toBe(true);
  await queue.close();
  expect(bells()).toEqual([]);
});

function stopAgainAndAgain(child: ChildProcessByStdio<Writable, Readable, null>) {
  child.kill("SIGSTOP");
  const timer = setInterval(() => {
    child.kill("SIGCONT");
    setTimeout(() => child.exitCode === null && !isOver && child.kill("SIGSTOP"), 20);
  }, 3_000);
  let isOver = false;
  return {
    end() {
      isOver = true;
      clearInterval(timer);
      child.kill("SIGCONT");
    },
  };
}
