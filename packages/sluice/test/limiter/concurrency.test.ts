import fc from "fast-check";
import { createConcurrencyLimiter, type Lease, memoryStore, RateLimitError } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { seeded } from "../algorithms/subjects.ts";
import { heldStore, settled } from "./held-store.ts";

function setup(limit: number, leaseMs = 1_000) {
  const clock = manualClock();
  const slots = createConcurrencyLimiter({ limit, leaseMs, store: memoryStore({ clock }) });
  return { clock, slots };
}

it("holds to the model under random acquiring, releasing, renewing and running out", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = seeded(seed);
      const below = (end: number) => Math.floor(random() * end);
      const limit = 1 + below(5);
      const { clock, slots } = setup(limit);
      /** Every lease that was ever got, with the units it still holds and until when. */
      const model: { lease: Lease<"sync">; cost: number; end: number }[] = [];
      const held = () => model.reduce((sum, { cost, end }) => sum + (end > clock.elapsed() ? cost : 0), 0);
      for (let i = 0; i < 40; i++) {
        clock.advanceSync([0, 1, below(300), 500, 1_000][below(5)]!);
        const cost = 1 + below(3);
        const one = model[below(model.length)];
        const action = below(4);
        if (action <= 1 || one === undefined) {
          const before = held();
          const lease = slots.acquire("a", cost);
          if (lease.decision.allowed !== before + cost <= limit) return false;
          if (lease.decision.allowed) model.push({ lease, cost, end: clock.elapsed() + 1_000_000 });
        } else if (action === 2) {
          one.lease.release();
          one.end = 0;
          one.cost = 0;
        } else {
          const isLive = one.end > clock.elapsed();
          const isHeld = one.lease.renew();
          if (isHeld !== (one.cost > 0 && (isLive || held() + one.cost <= limit))) return false;
          if (isHeld) one.end = clock.elapsed() + 1_000_000;
          else one.cost = 0;
        }
        if (held() > limit || slots.peek("a").remaining !== Math.max(0, limit - held() - 1)) return false;
      }
      return true;
    }),
    { numRuns: 3_000, endOnFailure: true },
  );
});

describe("a place", () => {
  it("is given back once, however often it is given back", () => {
    const { slots } = setup(2);
    const first = slots.acquire("a");
    slots.acquire("a");
    first.release();
    first.release();
    expect(slots.acquire("a").decision.allowed).toBe(true);
    first.release();
    expect(slots.acquire("a").decision.allowed).toBe(false);
  });

  it("that has run out cannot be given back from under its next holder", () => {
    const { clock, slots } = setup(1);
    const lost = slots.acquire("a");
    clock.advanceSync(1_000);
    const next = slots.acquire("a");
    expect(next.decision.allowed).toBe(true);
    lost.release();
    expect(slots.acquire("a").decision.allowed).toBe(false);
    expect(lost.renew()).toBe(false);
    expect(next.renew()).toBe(true);
  });

  it("was never there after a refusal", () => {
    const { slots } = setup(1);
    const held = slots.acquire("a");
    const refused = slots.acquire("a");
    expect(refused.decision).toMatchObject({ allowed: false, limit: 1, remaining: 0, retryAfterMs: 1_000 });
    refused.release();
    expect(refused.renew()).toBe(false);
    expect(slots.peek("a").allowed).toBe(false);
    held.release();
    expect(slots.peek("a")).toMatchObject({ allowed: true, remaining: 0 });
    expect(slots.acquire("a", 2).decision.retryAfterMs).toBe(Infinity);
  });

  it("is one of its key, its name and its limit", () => {
    const store = memoryStore({ clock: manualClock() });
    const slots = createConcurrencyLimiter({ limit: 1, store });
    slots.acquire("a");
    expect(slots.acquire("b").decision.allowed).toBe(true);
    expect(createConcurrencyLimiter({ limit: 1, store }).acquire("a").decision.allowed).toBe(false);
    expect(createConcurrencyLimiter({ limit: 1, store, name: "other" }).acquire("a").decision.allowed).toBe(true);
  });

  it.each([
    [{ limit: 0 }, "limit"],
    [{ limit: 1.5 }, "limit"],
    [{ limit: 1, leaseMs: 0 }, "leaseMs"],
    [{ limit: 1, leaseMs: Number.NaN }, "leaseMs"],
    [{ limit: 1, maxWaiting: 0 }, "maxWaiting"],
  ])("cannot be one of %j", (options, message) => {
    expect(() => createConcurrencyLimiter(options)).toThrow(message);
  });

  it("has a key and a cost", () => {
    const { slots } = setup(1);
    expect(() => slots.acquire("")).toThrow("A key is a text that is not empty");
    expect(() => slots.acquire("a", 0)).toThrow("A cost is a whole number of places, 1 or more, but it is 0");
  });
});

describe("run", () => {
  it("renews while the task runs, and gives the place back however it ends", async () => {
    const { clock, slots } = setup(1);
    let finish = (_result: string): void => {};
    const running = slots.run("a", () => new Promise<string>((resolve) => (finish = resolve)));
    await clock.advance(10_000);
    expect(slots.peek("a").allowed).toBe(false);
    await expect(slots.run("a", () => "never")).rejects.toBeInstanceOf(RateLimitError);
    finish("done");
    expect(await running).toBe("done");
    expect(slots.peek("a").allowed).toBe(true);
    await expect(slots.run("a", () => Promise.reject(new Error("task")))).rejects.toThrow("task");
    expect(slots.peek("a").allowed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("loses its place after one term when the holder is gone", async () => {
    const { clock, slots } = setup(1);
    slots.acquire("a");
    await clock.advance(999);
    expect(slots.peek("a").allowed).toBe(false);
    await clock.advance(1);
    expect(slots.peek("a").allowed).toBe(true);
  });

  it("goes on when a renewal fails, and keeps the result when the place cannot be given back", async () => {
    const clock = manualClock();
    const store = heldStore(clock);
    const slots = createConcurrencyLimiter({ limit: 1, leaseMs: 900, store });
    let finish = (_result: string): void => {};
    const running = slots.run("a", () => new Promise<string>((resolve) => (finish = resolve)));
    await settled();
    await store.answer();
    await clock.advance(300);
    await store.fail(new Error("down"));
    await clock.advance(300);
    await store.answer();
    await clock.advance(300);
    const lateRenewal = store.decideOnly();
    finish("done");
    await settled();
    await store.fail(new Error("down"));
    expect(await running).toBe("done");
    await lateRenewal();
    expect(clock.pending).toBe(0);
  });
});

describe("waiting for a place", () => {
  it("is first come, first served, and woken when one is given back", async () => {
    const { clock, slots } = setup(2);
    const [first, second] = [slots.acquire("a"), slots.acquire("a")];
    const served: string[] = [];
    const waits = ["x", "y", "z"].map((name) =>
      slots.wait("a", { cost: name === "x" ? 2 : 1 }).then((lease) => {
        served.push(name);
        return lease;
      }),
    );
    first.release();
    await settled();
    expect(served).toEqual([]);
    second.release();
    await settled();
    expect(served).toEqual(["x"]);
    (await waits[0]!).release();
    await settled();
    expect(served).toEqual(["x", "y", "z"]);
    expect(clock.pending).toBe(0);
  });

  it("gets the place of somebody who is lost when his term ends", async () => {
    const { clock, slots } = setup(1);
    slots.acquire("a");
    let got: Lease<"sync"> | undefined;
    void slots.wait("a").then((lease) => {
      got = lease;
    });
    await clock.advance(999);
    expect(got).toBeUndefined();
    await clock.advance(1);
    expect(got?.decision.allowed).toBe(true);
  });

  it("is over in time", async () => {
    const { clock, slots } = setup(1);
    const held = slots.acquire("a");
    const outcomes: string[] = [];
    const late = slots.wait("a", { maxWaitMs: 500 }).catch((error) => outcomes.push(error.code));
    void slots.wait("a", { maxWaitMs: 800 }).then(() => outcomes.push("served"));
    await clock.advance(500);
    await late;
    held.release();
    await settled();
    expect(outcomes).toEqual(["RATE_LIMITED", "served"]);
    await expect(slots.wait("a", { cost: 2 })).rejects.toMatchObject({ decision: { retryAfterMs: Infinity } });
  });

  it("is woken by a place that comes back while it is asking", async () => {
    const clock = manualClock();
    const store = heldStore(clock);
    const slots = createConcurrencyLimiter({ limit: 1, leaseMs: 60_000, store });
    const acquiring = slots.acquire("a");
    await store.answer();
    const held = await acquiring;
    const waiting = slots.wait("a");
    await settled();
    const tellRefusal = store.decideOnly();
    const released = held.release();
    await store.answer();
    await released;
    await tellRefusal();
    expect(store.asked).toBe(1);
    await store.answer();
    await expect(waiting).resolves.toMatchObject({ decision: { allowed: true } });
    expect(clock.pending).toBe(0);
  });
});
