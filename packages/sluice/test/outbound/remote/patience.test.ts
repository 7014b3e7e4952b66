import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leased, memoryStore, type Store } from "sluice";
import { createUpstreams, type OutboundEvent } from "sluice/outbound";
import { sqliteStore } from "sluice/sqlite";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "sluice-patience-"));
let files = 0;
const open: Store[] = [];
afterAll(async () => {
  for (const store of open) await store.close?.();
  rmSync(folder, { recursive: true });
});

const kept = <S extends Store>(store: S): S => {
  open.push(store);
  return store;
};

/** Stores that have to be asked: with a queue, and without one. */
const stores: Readonly<Record<string, () => Store>> = {
  "a queue in SQLite": () => kept(sqliteStore({ path: join(folder, `${files++}.db`) })),
  "takes from a store without a queue": () => {
    const { queue: _queue, ...store } = kept(sqliteStore({ path: join(folder, `${files++}.db`) }));
    return store;
  },
  leases: () => leased(kept(sqliteStore({ path: join(folder, `${files++}.db`) }))),
};

describe.each(Object.entries(stores))("%s", (_, store) => {
  it("refuses a call at once of which the store knows that it cannot start in time", async () => {
    const upstreams = createUpstreams({ api: { limit: "1/day UTC", maxWaitMs: 3_600_000 } }, { store: store() });
    expect(await upstreams.api.run(() => "made")).toBe("made");
    // Were it not refused by what the store says, it would be after an hour, and this test would fail by then.
    const hourMs = 3_600_000;
    const untilMidnightMs = 86_400_000 - (Date.now() % 86_400_000);
    const patience = Math.max(1_000, Math.min(hourMs, untilMidnightMs - 600_000));
    for (let again = 0; again < 2; again++) {
      const refused = upstreams.api.run(() => "never", { maxWaitMs: patience });
      await expect(refused).rejects.toMatchObject({ reason: "deadline" });
    }
    await upstreams.close();
  });

  it("starts a call that cannot wait, if its units are there, and refuses it if not", async () => {
    const upstreams = createUpstreams({ api: "1/day UTC" }, { store: store() });
    expect(await upstreams.api.run(() => "made", { maxWaitMs: 0 })).toBe("made");
    await expect(upstreams.api.run(() => "never", { maxWaitMs: 0 })).rejects.toMatchObject({ reason: "deadline" });
    await upstreams.close();
  });
});

it("tells that the store cannot be asked, once", async () => {
  const events: OutboundEvent[] = [];
  const failure = new Error("away");
  const store: Store = {
    take: () => Promise.reject(failure),
    forget: () => Promise.reject(failure),
    clock: memoryStore().clock,
  };
  const upstreams = createUpstreams({ api: "10/s" }, { store, onEvent: (event) => events.push(event) });
  const calls = [1, 2].map(() => upstreams.api.run(() => "never", { maxWaitMs: 400 }));
  for (const call of calls) await expect(call).rejects.toMatchObject({ reason: "store", cause: failure });
  expect(events.filter(({ type }) => type === "store-failed")).toEqual([
    { upstream: "api", type: "store-failed", error: failure },
  ]);
  await upstreams.close();
});
