import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Algorithm,
  createConcurrencyLimiter,
  createLimiter,
  memoryStore,
  perMinute,
  perPeriod,
  perSecond,
  type Quota,
  quota,
  type Store,
} from "sluice";
import { sqliteStore } from "sluice/sqlite";
import { type ManualClock, manualClock } from "sluice/testing";
import { describe, expect, test } from "vitest";

/** A quota before a deploy and after it, under the same name. */
const DEPLOYS: readonly { readonly what: string; readonly before: Quota; readonly after: Quota }[] = [
  { what: "a sliding window", before: perMinute(10), after: perMinute(8) },
  { what: "a sliding window that becomes coarse", before: perMinute(10), after: perMinute(500) },
  { what: "a token bucket", before: perSecond(1, { burst: 10 }), after: perSecond(3, { burst: 8 }) },
  {
    what: "a window of the calendar",
    before: perPeriod(10, 86_400_000, { timeZone: "UTC" }),
    after: perPeriod(8, 86_400_000, { timeZone: "UTC" }),
  },
];

const folder = mkdtempSync(join(tmpdir(), "sluice-changed-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const STORES: Readonly<Record<string, (clock: ManualClock) => Store>> = {
  memory: (clock) => memoryStore({ clock }),
  SQLite: (clock) => sqliteStore({ path: join(folder, `${files++}.db`), clock }),
};

describe.each(Object.entries(STORES))("over %s", (_, open) => {
  test.each(DEPLOYS)("$what begins anew unless told otherwise", async ({ before, after }) => {
    const store = open(manualClock());
    await createLimiter({ store, quota: before }).consume("user", 6);
    const { remaining } = await createLimiter({ store, quota: after }).consume("user", 1);
    expect(remaining).toBe(after.limit - 1);
    await store.close?.();
  });

  test.each(DEPLOYS)("$what goes on with what was used, in old and new processes at once", async (deploy) => {
    const store = open(manualClock());
    const old = createLimiter({ store, quota: deploy.before, whenChanged: "carry" });
    const young = createLimiter({ store, quota: deploy.after, whenChanged: "carry" });
    expect(await old.consume("user", 3)).toMatchObject({ allowed: true, remaining: deploy.before.limit - 3 });
    expect(await young.consume("user", 2)).toMatchObject({ allowed: true, remaining: deploy.after.limit - 5 });
    expect(await old.consume("user", 2)).toMatchObject({ allowed: true, remaining: deploy.before.limit - 7 });
    const left = deploy.after.limit - 7;
    expect(await young.consume("user", left + 1)).toMatchObject({ allowed: false, remaining: left });
    expect(await young.consume("user", left)).toMatchObject({ allowed: true, remaining: 0 });
    expect(await old.peek("user", 0)).toMatchObject({
      remaining: Math.max(0, deploy.before.limit - deploy.after.limit),
    });
    await store.close?.();
  });

  test("usage under a shorter period is kept for as long as it counts under the longer one", async () => {
    const clock = manualClock();
    const store = open(clock);
    const short = createLimiter({ store, quota: perPeriod(9, 1_000, { name: "calls" }), whenChanged: "carry" });
    const long = createLimiter({ store, quota: perPeriod(9, 600_000, { name: "calls" }), whenChanged: "carry" });
    await long.consume("user", 1);
    await short.consume("user", 3);
    clock.advanceSync(599_999);
    for (let i = 0; i < 50; i++) await short.consume(`somebody ${i}`);
    expect(await long.peek("user", 0)).toMatchObject({ remaining: 5 });
    clock.advanceSync(1);
    expect(await long.peek("user", 0)).toMatchObject({ remaining: 9 });
    await store.close?.();
  });

  test("places that are held still count, and may be given back by whoever took them", async () => {
    const clock = manualClock();
    const store = open(clock);
    const old = createConcurrencyLimiter({ store, limit: 2, leaseMs: 60_000, whenChanged: "carry" });
    const young = createConcurrencyLimiter({ store, limit: 3, leaseMs: 1_000, whenChanged: "carry" });
    const first = await old.acquire("user");
    await old.acquire("user");
    expect((await young.acquire("user")).decision).toMatchObject({ allowed: true, remaining: 0 });
    clock.advanceSync(1_000);
    expect(await young.peek("user", 2)).toMatchObject({ allowed: false, remaining: 1 });
    await first.release();
    expect(await young.peek("user", 2)).toMatchObject({ allowed: true });
    clock.advanceSync(59_000);
    expect(await young.peek("user", 3)).toMatchObject({ allowed: true });
    await store.close?.();
  });
});

test("an algorithm that cannot carry says so, and so does a word that is not known", () => {
  const algorithm: Algorithm = {
    name: "coin",
    params: [],
    capacity: 1,
    width: 1,
    clock: "elapsed",
    apply() {},
    isFresh: () => true,
  };
  const coin = quota({ name: "coin", text: "a coin", periodMs: 1, algorithm });
  expect(() => createLimiter({ quota: coin, whenChanged: "carry" })).toThrow('The algorithm "coin" cannot carry');
  expect(() => createLimiter({ quota: "1/s", whenChanged: "keep" as "carry" })).toThrow(
    'whenChanged is "fresh" or "carry", but it is "keep".',
  );
});
