import { lstatSync, lutimesSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { bell, removeBells, ring } from "../../../../src/stores/sqlite/queue/bell.ts";
import { newPath } from "../files.ts";

const nameOf = (path: string, id: number) => `${path}-bell-${id.toString(16).padStart(12, "0")}`;

it("is a small file for its owner alone, and gone when it is closed", () => {
  const path = newPath();
  const own = bell(path, () => {});
  expect(readdirSync(dirname(path))).toEqual([]);
  own.open();
  own.open();
  const { mode, size } = lstatSync(nameOf(path, own.id));
  expect([mode & 0o777, size]).toEqual([0o600, 0]);
  own.close();
  own.close();
  expect(readdirSync(dirname(path))).toEqual([]);
});

it("hears when another process sets the time of its file", async () => {
  const path = newPath();
  const rung = Promise.withResolvers<void>();
  const own = bell(path, rung.resolve);
  own.open();
  lutimesSync(nameOf(path, own.id), 1, 1);
  await rung.promise;
  own.close();
});

it("hears others of its process without the file", () => {
  let rings = 0;
  const own = bell(undefined, () => rings++);
  own.open();
  ring(undefined, [own.id, own.id + 1]);
  expect(rings).toBe(1);
  own.close();
  ring(undefined, [own.id]);
  expect(rings).toBe(1);
});

it("makes no file for whoever is not there, and follows no link", async () => {
  const path = newPath();
  const victim = join(dirname(path), "victim");
  writeFileSync(victim, "mine");
  utimesSync(victim, 1, 1);
  symlinkSync(victim, nameOf(path, 7));
  ring(path, [7, 8]);
  await expect.poll(() => lstatSync(nameOf(path, 7)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  expect(statSync(victim).mtimeMs).toBe(1000);
  removeBells(path, [7, 8]);
  await expect.poll(() => readdirSync(dirname(path))).toEqual(["victim"]);
});

it("is silent where no file can be made, and nothing fails", () => {
  const own = bell(join(newPath(), "no", "limits.db"), () => {});
  own.open();
  ring(join(newPath(), "no", "limits.db"), [1]);
  own.close();
});
