import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const PACKAGE = join(import.meta.dirname, "..");
const { exports } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")) as { exports: object };
const entries = Object.entries(exports)
  .map(([name, target]) => [name, target as string | { default: string }] as const)
  .map(([name, target]) => ({ name, file: typeof target === "string" ? target : target.default }))
  .filter(({ file }) => file.endsWith(".js"))
  .map(({ name, file }) => ({ name, source: join(PACKAGE, file.replace("./dist/", "src/").replace(/\.js$/, ".ts")) }));

it("finds the entries", () => {
  expect(entries.map(({ name }) => name)).toContain(".");
  expect(entries.map(({ name }) => name)).toContain("./testing");
});

describe.each(entries)("$name", ({ source }) => {
  it("has a source, exports something by name, and nothing by default", async () => {
    expect(existsSync(source)).toBe(true);
    const names = Object.keys(await import(source));
    expect(names.length).toBeGreaterThan(0);
    expect(names).not.toContain("default");
    expect(names).not.toContain("then");
  });
});

it("exports from the root what is written here, and nothing else", async () => {
  expect(Object.keys(await import("sluice")).sort()).toEqual([
    "Mode",
    "RateLimitError",
    "StoreTimeoutError",
    "StoreUnavailableError",
    "concurrency",
    "createConcurrencyLimiter",
    "createLimiter",
    "decide",
    "fallback",
    "fixedWindow",
    "formatDuration",
    "isSync",
    "leased",
    "localShare",
    "memoryStore",
    "parseDuration",
    "parseRate",
    "perDay",
    "perHour",
    "perMinute",
    "perMonth",
    "perPeriod",
    "perSecond",
    "perWeek",
    "quota",
    "rememberRefusals",
    "reserveTogether",
    "slidingWindow",
    "step",
    "systemClock",
    "timeout",
    "tokenBucket",
  ]);
});

it("exports from sluice/testing what is written here, and nothing else", async () => {
  expect(Object.keys(await import("sluice/testing")).sort()).toEqual([
    "algorithmLaws",
    "lawCalls",
    "manualClock",
    "storeSuite",
  ]);
});
