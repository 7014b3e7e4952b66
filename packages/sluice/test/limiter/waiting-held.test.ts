import { createLimiter } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { heldStore, settled } from "./held-store.ts";

describe("over a store that takes its time", () => {
  function held(quota: string) {
    const clock = manualClock();
    const store = heldStore(clock);
    return { clock, store, limiter: createLimiter({ quota, store }) };
  }

  it("hands the units back when the caller has gone while they were being fetched", async () => {
    const { store, limiter } = held("1/s");
    const controller = new AbortController();
    const gone = limiter.wait("a", { signal: controller.signal });
    await settled();
    controller.abort(new Error("gone"));
    await expect(gone).rejects.toThrow("gone");
    await store.answer();
    expect(store.asked).toBe(1);
    await store.answer();
    const next = limiter.wait("a");
    await settled();
    await store.answer();
    await expect(next).resolves.toMatchObject({ allowed: true });
    expect(store.asked).toBe(0);
  });

  it("keeps the order when a line empties while it asks and somebody comes", async () => {
    const { store, limiter } = held("2/s");
    const controller = new AbortController();
    const gone = limiter.wait("a", { signal: controller.signal }).catch(() => "gone");
    await settled();
    controller.abort();
    expect(await gone).toBe("gone");
    const order: string[] = [];
    void limiter.wait("a").then(() => order.push("second"));
    await settled();
    expect(store.asked).toBe(1);
    await store.answer();
    await store.answer();
    void limiter.wait("a").then(() => order.push("third"));
    await settled();
    while (store.asked > 0) await store.answer();
    expect(order).toEqual(["second", "third"]);
  });

  it("throws the store's error to the one who asked, and goes on with the next", async () => {
    const { store, limiter } = held("2/s");
    const first = limiter.wait("a").catch((error) => error.message);
    const second = limiter.wait("a");
    await settled();
    expect(store.asked).toBe(2);
    await store.fail(new Error("down"));
    expect(await first).toBe("down");
    while (store.asked > 0) await store.answer();
    await expect(second).resolves.toMatchObject({ allowed: true, remaining: 1 });
  });

  it("asks once at a time, even when foreseeing fails for those behind", async () => {
    const { store, limiter } = held("2/s");
    const first = limiter.wait("a");
    const second = limiter.wait("a").catch((error) => error.message);
    await settled();
    const giveFirst = store.decideOnly();
    await store.fail(new Error("down"));
    expect(await second).toBe("down");
    expect(store.asked).toBe(0);
    await giveFirst();
    await expect(first).resolves.toMatchObject({ remaining: 1 });
  });

  it("survives that handing back fails", async () => {
    const { store, limiter } = held("2/s");
    const controller = new AbortController();
    const gone = limiter.wait("a", { signal: controller.signal }).catch(() => "gone");
    await settled();
    const second = limiter.wait("a");
    await settled();
    controller.abort();
    expect(await gone).toBe("gone");
    await store.answer();
    await store.answer();
    await store.fail(new Error("down"));
    while (store.asked > 0) await store.answer();
    await expect(second).resolves.toMatchObject({ allowed: true });
  });

  it("counts an answer that is under way at the deadline", async () => {
    const { clock, store, limiter } = held("1/s");
    const served = limiter.wait("a", { maxWaitMs: 100 });
    await settled();
    await clock.advance(200);
    await store.answer();
    await expect(served).resolves.toMatchObject({ allowed: true });
    const refused = limiter.wait("a", { maxWaitMs: 900 }).catch((error) => error.decision);
    await settled();
    await clock.advance(1);
    await store.answer();
    expect(await refused).toMatchObject({ allowed: false, retryAfterMs: 999 });
    expect(clock.pending).toBe(0);
  });
});
