import { createConcurrencyLimiter, fallback, leased, memoryStore, type Store } from "sluice";
import { LockError, withLock } from "sluice/outbound";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it } from "vitest";

let clock: ManualClock;
let store: Store;
/** The same state, seen by another process: one that shares no line with `store`. */
let elsewhere: Store;
let takes: number;
/** What the store throws, while it fails. */
let failure: unknown;

beforeEach(() => {
  clock = manualClock();
  const memory = memoryStore({ clock });
  takes = 0;
  failure = undefined;
  const process = (): Store => ({
    clock,
    take: async (...args) => {
      takes++;
      if (failure !== undefined) throw failure;
      return memory.take(...args);
    },
    forget: (accounts) => memory.forget(accounts),
  });
  store = process();
  elsewhere = process();
});

/** Takes the lock and keeps it until told. */
async function hold(where: Store, name = "job", options: Parameters<typeof withLock>[3] = {}) {
  const taken = Promise.withResolvers<{ token: number; signal: AbortSignal }>();
  const done = Promise.withResolvers<unknown>();
  const outcome = withLock(
    where,
    name,
    (locked) => {
      taken.resolve(locked);
      return done.promise;
    },
    options,
  );
  outcome.catch(taken.reject);
  const locked = await taken.promise;
  const end = () => {
    done.resolve(undefined);
    return outcome;
  };
  return { ...locked, end };
}

const code = (error: unknown) => (error as LockError).code;
const failed = (outcome: Promise<unknown>) =>
  outcome.then(
    () => expect.fail("It should have failed."),
    (error) => error,
  );

describe("withLock", () => {
  it("returns what the work returns, throws what it throws, and is free afterwards either way", async () => {
    expect(await withLock(store, "job", () => 1)).toBe(1);
    await expect(withLock(store, "job", () => Promise.reject(new Error("own")))).rejects.toThrow("own");
    expect(await withLock(elsewhere, "job", () => 2, { maxWaitMs: 0 })).toBe(2);
  });

  it("lets one run at a time, here in order of arrival, and other names at once", async () => {
    const order: number[] = [];
    const first = await hold(store);
    const others = [1, 2, 3].map((i) => withLock(store, "job", async () => void order.push(i)));
    await clock.advance(100);
    expect(order).toEqual([]);
    await withLock(store, "other", () => order.push(0));
    await first.end();
    await Promise.all(others);
    expect(order).toEqual([0, 1, 2, 3]);
  });

  it("excludes callers that do not agree on leaseMs", async () => {
    await hold(store, "job", { leaseMs: 1_000 });
    const error = await failed(withLock(elsewhere, "job", () => {}, { leaseMs: 60_000, maxWaitMs: 0 }));
    expect(code(error)).toBe("LOCK_NOT_ACQUIRED");
  });

  it("has nothing to do with limiters of the same name over the same store", async () => {
    await hold(store, "job");
    expect((await createConcurrencyLimiter({ limit: 1, store }).acquire("job")).decision.allowed).toBe(true);
  });

  it("leaves no timer behind", async () => {
    await withLock(store, "job", () => {});
    const other = await hold(elsewhere);
    await failed(Promise.all([withLock(store, "job", () => {}, { maxWaitMs: 500 }), clock.advance(500)]));
    await other.end();
    expect(clock.pending).toBe(0);
  });

  it("refuses names and times that cannot be", async () => {
    await expect(withLock(store, "", () => {})).rejects.toThrow(TypeError);
    for (const leaseMs of [9, 3_600_001, Number.NaN]) {
      await expect(withLock(store, "job", () => {}, { leaseMs })).rejects.toThrow(RangeError);
    }
    await expect(withLock(store, "job", () => {}, { maxWaitMs: -1 })).rejects.toThrow(RangeError);
  });
});

describe("waiting", () => {
  it("ends after maxWaitMs, with when the holder's lease ends", async () => {
    await hold(elsewhere, "job", { leaseMs: 9_000 });
    const waiting = failed(withLock(store, "job", () => expect.fail("ran"), { maxWaitMs: 2_000 }));
    await clock.advance(2_000);
    const error = (await waiting) as LockError;
    expect(error).toBeInstanceOf(LockError);
    expect(error).toMatchObject({ code: "LOCK_NOT_ACQUIRED", lock: "job", retryAfterMs: expect.any(Number) });
    expect(error.retryAfterMs).toBeLessThanOrEqual(9_000);
    expect(error.retryAfterMs).toBeGreaterThan(1_000);
  });

  it("ends at once when the signal aborts, with its reason, and is next no more", async () => {
    const holder = await hold(elsewhere);
    const controller = new AbortController();
    const waiting = failed(withLock(store, "job", () => {}, { signal: controller.signal }));
    await clock.advance(100);
    controller.abort("enough");
    expect(await waiting).toBe("enough");
    await holder.end();
    expect(await withLock(elsewhere, "job", () => 1, { maxWaitMs: 0 })).toBe(1);
    await expect(withLock(store, "job", () => {}, { signal: controller.signal })).rejects.toBe("enough");
  });

  it("ends at once while the store is being asked, and what it grants then is given back", async () => {
    for (const maxWaitMs of [0, 1_000]) {
      const reply = Promise.withResolvers<void>();
      const { take } = store;
      store.take = async (...args) => {
        const taken = await take(...args);
        await reply.promise;
        return taken;
      };
      const controller = new AbortController();
      const waiting = failed(
        withLock(store, "job", () => expect.fail("ran"), { maxWaitMs, signal: controller.signal }),
      );
      await clock.advance(0);
      controller.abort("enough");
      reply.resolve();
      expect(await waiting).toBe("enough");
      await clock.advance(0);
      store.take = take;
      expect(await withLock(elsewhere, "job", () => 1, { maxWaitMs: 0 })).toBe(1);
    }
  });

  it("for a process that died ends with its lease, within the default time", async () => {
    let isDead = false;
    const take: Store["take"] = (...args) => (isDead ? new Promise(() => {}) : elsewhere.take(...args));
    await hold({ ...elsewhere, take }, "job", { leaseMs: 30_000 });
    isDead = true;
    const got = withLock(store, "job", () => clock.elapsed());
    const before = clock.elapsed();
    await clock.advance(31_000);
    expect(((await got) - before) / 1_000).toBeLessThanOrEqual(30_000);
  });

  it("for another process asks less and less often, and no longer in vain than it waited", async () => {
    for (const heldMs of [20, 200, 2_000, 20_000]) {
      await withLock(store, `job-${heldMs}`, () => {});
      const holder = await hold(elsewhere, `job-${heldMs}`, { leaseMs: 3_600_000 });
      const asked = takes;
      const got = withLock(store, `job-${heldMs}`, () => clock.elapsed(), { maxWaitMs: Infinity });
      await clock.advance(heldMs);
      await holder.end();
      const freeAt = clock.elapsed();
      await clock.advance(1_000);
      expect((await got) - freeAt).toBeLessThanOrEqual(Math.min(50, heldMs) * 1_000);
      // The one who is next asks every 37 to 50 ms, and says that it is next every 125 ms or so.
      expect(takes - asked).toBeLessThan(20 + heldMs / 25);
    }
  });

  it("for this process asks only when it is free", async () => {
    const holder = await hold(store, "job", { leaseMs: 3_600_000 });
    const got = withLock(store, "job", () => clock.elapsed(), { maxWaitMs: Infinity });
    await clock.advance(0);
    const asked = takes;
    await clock.advance(60_000);
    expect(takes).toBe(asked);
    await holder.end();
    expect(await got).toBe(clock.elapsed());
  });

  it("gives the lock to another process that is next, before one that always has somebody waiting", async () => {
    let isOver = false;
    let rounds = 0;
    /** Two at a time: one of them always waits when the other is done. */
    const busy = async () => {
      while (!isOver) {
        await withLock(store, "job", () => new Promise<void>((resolve) => clock.after(10, resolve)), {
          maxWaitMs: 60_000,
        });
        rounds++;
      }
    };
    const busyOnes = [busy(), busy()];
    await clock.advance(100);
    const before = rounds;
    const got = withLock(elsewhere, "job", () => rounds - before, { maxWaitMs: 5_000 });
    await clock.advance(2_000);
    expect(await got).toBeLessThan(30);
    isOver = true;
    await clock.advance(1_000);
    await Promise.all(busyOnes);
  });

  it("of more than a thousand in one process is refused", async () => {
    const holder = await hold(store);
    const waiting = Array.from({ length: 1_000 }, () => withLock(store, "job", () => {}));
    expect(code(await failed(withLock(store, "job", () => {})))).toBe("LOCK_NOT_ACQUIRED");
    await holder.end();
    await Promise.all(waiting);
  });
});

describe("a store that fails", () => {
  it("while the lock is asked for makes it not acquired, with the cause", async () => {
    failure = new Error("down");
    const error = await failed(withLock(store, "job", () => expect.fail("ran")));
    expect(error).toMatchObject({ code: "LOCK_NOT_ACQUIRED", cause: failure });
    expect((error as Error).message).toContain("down");
  });

  it("after it granted the lock unheard does not keep it taken", async () => {
    const { take } = store;
    let isLost = true;
    store.take = async (...args) => {
      const taken = await take(...args);
      if (isLost) {
        isLost = false;
        throw new Error("The reply was lost.");
      }
      return taken;
    };
    await failed(withLock(store, "job", () => {}));
    expect(await withLock(elsewhere, "job", () => 1, { maxWaitMs: 0 })).toBe(1);
  });

  it.each(["open", "closed"] as const)("behind a fallback that is %s locks nothing", async (policy) => {
    failure = new Error("down");
    const error = await failed(withLock(fallback(store, policy), "job", () => expect.fail("ran"), { maxWaitMs: 0 }));
    expect(code(error)).toBe("LOCK_NOT_ACQUIRED");
    expect((error as Error).message).toContain("does not answer");
  });

  it("is asked about tokens each time, also behind leases of quotas", async () => {
    const [one, other] = [leased(store), leased(elsewhere)];
    const tokens: number[] = [];
    for (let i = 0; i < 10; i++) await withLock(i % 2 ? one : other, "job", ({ token }) => void tokens.push(token));
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  });
});
