import { DatabaseSync } from "node:sqlite";
import {
  type Algorithm,
  createConcurrencyLimiter,
  createLimiter,
  type Decision,
  RateLimitError,
  reserveTogether,
} from "sluice";
import { limitFetch } from "sluice/mcp";
import type { SqliteDatabase } from "sluice/sqlite";
import { manualClock } from "sluice/testing";
import { expect, it } from "vitest";
import { newPath, openStore } from "./files.ts";

const MINUTE = 60_000;

/** Two processes in one: each has its own connection to the file. */
function twoProcesses() {
  const clock = manualClock();
  const path = newPath();
  return { clock, stores: [openStore({ path, clock }), openStore({ path, clock })] as const };
}

it("consume: calls of one turn are decided each by itself, in their order", async () => {
  const { stores } = twoProcesses();
  const [one, two] = stores.map((store) => createLimiter({ quota: "3/min", store }));
  const decisions = await Promise.all([1, 1, 2, 1, 1].map((cost) => one!.consume("k", cost)));
  expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, false, true, false]);
  expect(decisions.map(({ remaining }) => remaining)).toEqual([2, 1, 1, 0, 0]);
  expect(await two!.consume("k")).toMatchObject({ allowed: false, retryAfterMs: MINUTE, degraded: false });
});

it("several quotas and keys: all or none", async () => {
  const { stores } = twoProcesses();
  const [one, two] = stores.map((store) => createLimiter({ quota: ["2/s", "3/day UTC"], store }));
  expect((await one!.consume(["a", "b"], 2)).allowed).toBe(true);
  expect(await two!.consume(["a", "c"])).toMatchObject({ allowed: false, quota: "per-second" });
  expect((await one!.peek("c", 0)).remaining).toBe(2);
});

it("wait: in line, until the units are there", async () => {
  const { clock, stores } = twoProcesses();
  const [one, two] = stores.map((store) => createLimiter({ quota: "1/min", store }));
  await one!.consume("k");
  await expect(two!.wait("k", { maxWaitMs: 10 })).rejects.toThrow(RateLimitError);
  const waiting = two!.wait("k", { maxWaitMs: 2 * MINUTE });
  while (clock.pending < 2) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(MINUTE);
  expect((await waiting).allowed).toBe(true);
});

it("reserve: settles what was taken, also together with other limiters", async () => {
  const { stores } = twoProcesses();
  const [one, two] = stores.map((store) => createLimiter({ quota: "10/min", store }));
  const reservation = await one!.reserve("k", 8);
  await reservation.commit(3);
  expect((await two!.peek("k", 0)).remaining).toBe(7);
  const everyone = createLimiter({ name: "everyone", quota: "1/min", store: stores[0] });
  const both = await reserveTogether([
    { limiter: one!, key: "k", cost: 7 },
    { limiter: everyone, key: "all" },
  ]);
  expect(both.decision.allowed).toBe(true);
  await both.release();
  expect((await two!.peek("k", 0)).remaining).toBe(7);
});

it("block and reset: for all processes", async () => {
  const { stores } = twoProcesses();
  const [one, two] = stores.map((store) => createLimiter({ quota: "10/min", store }));
  await one!.block("k", MINUTE);
  expect(await two!.consume("k")).toMatchObject({ allowed: false, quota: "block", retryAfterMs: MINUTE });
  await two!.reset("k");
  expect((await one!.consume("k")).allowed).toBe(true);
});

it("concurrency: places are given back, and those of the lost run out", async () => {
  const { clock, stores } = twoProcesses();
  const [one, two] = stores.map((store) => createConcurrencyLimiter({ limit: 1, leaseMs: MINUTE, store }));
  const lease = await one!.acquire("k");
  expect((await two!.acquire("k")).decision.allowed).toBe(false);
  await lease.release();
  expect(await two!.run("k", async () => (await one!.acquire("k")).decision.allowed)).toBe(false);
  const lost = await one!.acquire("k");
  clock.advanceSync(MINUTE / 2);
  expect(await lost.renew()).toBe(true);
  clock.advanceSync(MINUTE - 1);
  expect((await two!.acquire("k")).decision.allowed).toBe(false);
  clock.advanceSync(1);
  expect((await two!.acquire("k")).decision.allowed).toBe(true);
  expect(await lost.renew()).toBe(false);
});

it("an MCP server that is started twice has one limit", async () => {
  const { stores } = twoProcesses();
  const servers = stores.map((store) =>
    limitFetch(async () => Response.json({ jsonrpc: "2.0", id: 1, result: { content: [] } }), {
      perClient: "3/min",
      tools: { search: "1/min" },
      client: () => "me",
      store,
    }),
  );
  const call = async (server: number, name: string) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } });
    const response = await servers[server]!(new Request("http://localhost/mcp", { method: "POST", body }));
    return (await response.json()) as { result: { isError?: boolean } };
  };
  expect((await call(0, "search")).result.isError).toBeUndefined();
  expect((await call(1, "search")).result.isError).toBe(true);
  expect((await call(1, "other")).result.isError).toBeUndefined();
  expect((await call(0, "other")).result.isError).toBeUndefined();
  expect((await call(1, "other")).result.isError).toBe(true);
});

it("a quota with other numbers starts fresh, and old processes keep their own while a deploy rolls", async () => {
  const { stores } = twoProcesses();
  const [old, renewed] = [
    createLimiter({ quota: "1/min", store: stores[0] }),
    createLimiter({ quota: "2/min", store: stores[1] }),
  ];
  await old.consume("k");
  expect(await renewed.consume("k")).toMatchObject({ allowed: true, remaining: 1 });
  expect((await old.consume("k")).allowed).toBe(false);
  expect((await renewed.consume("k")).allowed).toBe(true);
  expect((await renewed.consume("k")).allowed).toBe(false);
});

it("calls of one turn share transactions", async () => {
  const database = new DatabaseSync(":memory:");
  let commits = 0;
  const counting: SqliteDatabase = {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql);
      if (sql !== "COMMIT") return statement;
      const run = () => {
        commits++;
        return statement.run();
      };
      return { get: () => undefined, all: () => [], run };
    },
    close: () => database.close(),
  };
  const limiter = createLimiter({ quota: "150/min", store: openStore({ database: counting }) });
  commits = 0;
  const decisions = await Promise.all(Array.from({ length: 200 }, () => limiter.consume("k")));
  expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(150);
  expect(commits).toBeGreaterThan(0);
  // One, on a machine that has nothing else to do.
  expect(commits).toBeLessThan(100);
});

it("a call that cannot be decided fails alone, and undoes nothing of the others in its transaction", async () => {
  const [store] = twoProcesses().stores;
  const broken: Algorithm = {
    name: "broken",
    params: [],
    width: 2,
    clock: "elapsed",
    capacity: 1,
    isFresh: () => false,
    apply: () => {
      throw new Error("out of order");
    },
  };
  const limiter = createLimiter({ quota: "2/min", store });
  const bad = () => store.take([{ ledger: { space: "broken", algorithm: broken }, key: "k", cost: 1 }]);
  const outcomes = await Promise.allSettled([limiter.consume("k"), bad(), limiter.consume("k"), limiter.consume("k")]);
  expect(
    outcomes.map((one) => (one.status === "fulfilled" ? (one.value as Decision).allowed : one.reason.message)),
  ).toEqual([true, "out of order", true, false]);
});
