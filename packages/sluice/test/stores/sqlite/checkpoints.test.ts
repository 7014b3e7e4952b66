import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createLimiter } from "sluice";
import { expect, it } from "vitest";
import { checkpoints } from "../../../src/stores/sqlite/checkpoints.ts";
import { newFolder, newPath, openStore } from "./files.ts";

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const pagesIn = (path: string) => statSync(path).size / 4096;

it("moves what was written into the file without waiting for the store to be closed", async () => {
  const path = newPath();
  const store = openStore({ path });
  const limiter = createLimiter({ quota: "1000/h", store });
  let calls = 0;
  // The log is far below the length at which SQLite would do it during a decision.
  while (pagesIn(path) < 20) {
    await Promise.all(Array.from({ length: 20 }, () => limiter.consume(`key-${calls++}`)));
    expect(pagesIn(`${path}-wal`)).toBeLessThan(15_000);
  }
  await store.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
  expect(await createLimiter({ quota: "1000/h", store: openStore({ path }) }).peek("key-0", 0)).toMatchObject({
    remaining: 999,
  });
});

it("has the log begin anew under a load that never pauses", async () => {
  const path = newPath();
  const limiter = createLimiter({ quota: "1000000/h burst 1000000", store: openStore({ path }) });
  await limiter.consume("k");
  const reader = new DatabaseSync(path);
  const pagesOfLog = () => (reader.prepare("PRAGMA wal_checkpoint(NOOP)").get() as { log: number }).log;
  let longest = 0;
  // A log that is shorter than it was has begun anew.
  for (;;) {
    const now = pagesOfLog();
    if (now < longest) break;
    longest = now;
    expect(longest).toBeLessThan(15_000);
    for (let i = 0; i < 50; i++) await limiter.consume(`key-${i}`);
  }
  reader.close();
});

it("says when there is no thread to do it, and is closed all the same", async () => {
  let failures = 0;
  const background = checkpoints(join(newFolder(), "missing", "limits.db"), () => failures++);
  for (let i = 0; i < 1_000; i++) background.wrote();
  while (failures === 0) await turn();
  for (let i = 0; i < 1_000; i++) background.wrote();
  await background.close();
  expect(failures).toBe(1);
});

it("keeps no process alive", () => {
  const source = `
    import { createLimiter } from ${JSON.stringify(new URL("../../../src/index.ts", import.meta.url).href)};
    import { sqliteStore } from ${JSON.stringify(new URL("../../../src/stores/sqlite/sqlite.ts", import.meta.url).href)};
    const limiter = createLimiter({ quota: "10/h", store: sqliteStore({ path: ${JSON.stringify(newPath())} }) });
    for (let i = 0; i < 600; i++) await limiter.consume("k" + i);
    console.log("done");
  `;
  const args = ["--no-warnings", "--input-type=module", "--eval", source];
  expect(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 25_000 })).toBe("done\n");
});
