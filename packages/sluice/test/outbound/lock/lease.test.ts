import { fallback, memoryStore, type Store } from "sluice";
import { LockError, withLock } from "sluice/outbound";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it } from "vitest";

let clock: ManualClock;
let memory: ReturnType<typeof memoryStore>;
/** Stands between the lock and the store. */
let take: Store["take"];
let store: Store;
let elsewhere: Store;

beforeEach(() => {
  clock = manualClock();
  memory = memoryStore({ clock });
  take = memory.take;
  store = { clock, take: async (...args) => take(...args), forget: (accounts) => memory.forget(accounts) };
  elsewhere = { clock, take: async (...args) => memory.take(...args), forget: (accounts) => memory.forget(accounts) };
});

const LEASE = { leaseMs: 3_000 };

/** Work under the lock until told to end. */
async function hold(where = store, options: Parameters<typeof withLock>[3] = LEASE) {
  const taken = Promise.withResolvers<{ token: number; signal: AbortSignal }>();
  const done = Promise.withResolvers<unknown>();
  const work = (locked: { token: number; signal: AbortSignal }) => {
    taken.resolve(locked);
    return done.promise;
  };
  const outcome = withLock(where, "job", work, options);
  outcome.catch(taken.reject);
  return { ...(await taken.promise), outcome, done };
}

const tryElsewhere = () => withLock(elsewhere, "job", ({ token }) => token, { ...LEASE, maxWaitMs: 0 });

describe("the lease", () => {
  it("is renewed three times per term while the work runs", async () => {
    let renewals = 0;
    const { signal, done, outcome } = await hold();
    take = (...args) => {
      renewals++;
      return memory.take(...args);
    };
    await clock.advance(30_000);
    expect(renewals).toBe(30);
    expect(signal.aborted).toBe(false);
    await expect(tryElsewhere()).rejects.toThrow(LockError);
    done.resolve("done");
    expect(await outcome).toBe("done");
  });

  it("ends here before it ends in the store when it cannot be renewed: counted from before it was asked for", async () => {
    const down = new Error("down");
    const reply = Promise.withResolvers<void>();
    take = async (...args) => {
      const taken = memory.take(...args);
      await reply.promise;
      return taken;
    };
    const holding = hold();
    await clock.advance(500);
    reply.resolve();
    const { signal, done, outcome } = await holding;
    take = () => Promise.reject(down);
    // Granted at 0, heard at 500: it ends at 3000 in the store.
    await clock.advance(2_469);
    expect(signal.aborted).toBe(false);
    await clock.advance(2);
    expect(signal.reason).toMatchObject({ code: "LOCK_LOST", lock: "job", cause: down });
    await expect(tryElsewhere()).rejects.toThrow(LockError);
    await clock.advance(30);
    await tryElsewhere();
    done.resolve("too late");
    await expect(outcome).rejects.toMatchObject({ code: "LOCK_LOST" });
  });

  it("that was renewed is counted from before the renewal was sent", async () => {
    const { signal } = await hold();
    const reply = Promise.withResolvers<void>();
    take = async (...args) => {
      const taken = memory.take(...args);
      await reply.promise;
      return taken;
    };
    await clock.advance(1_800);
    reply.resolve();
    await clock.advance(0);
    take = () => Promise.reject(new Error("down"));
    // Renewed at 1000, heard at 1800: it ends at 4000 in the store.
    await clock.advance(2_169);
    expect(signal.aborted).toBe(false);
    await clock.advance(2);
    expect(signal.aborted).toBe(true);
  });

  it("is not renewed by what answers in place of its store", async () => {
    const { signal } = await hold(fallback(store, "closed"));
    take = () => Promise.reject(new Error("down"));
    await clock.advance(3_000);
    expect(signal.reason).toMatchObject({ code: "LOCK_LOST" });
  });

  it("that was lost is told to those who wait here: the first of them asks at once", async () => {
    const { signal } = await hold();
    const next = withLock(store, "job", () => clock.elapsed(), LEASE);
    const before = clock.elapsed();
    await clock.advance(500);
    memory = memoryStore({ clock });
    take = memory.take;
    await clock.advance(500);
    expect(signal.reason).toMatchObject({ code: "LOCK_LOST" });
    expect((await next) - before).toBe(1_000_000);
  });

  it("is kept when a renewal fails and another one succeeds", async () => {
    const { signal, done, outcome } = await hold();
    take = () => Promise.reject(new Error("down"));
    await clock.advance(2_500);
    take = memory.take;
    await clock.advance(10_000);
    expect(signal.aborted).toBe(false);
    done.resolve(1);
    expect(await outcome).toBe(1);
  });

  it("is lost when a renewal is never answered", async () => {
    const { signal, done, outcome } = await hold();
    take = () => new Promise(() => {});
    await clock.advance(3_000);
    expect(signal.reason).toMatchObject({ code: "LOCK_LOST" });
    take = memory.take;
    done.resolve(1);
    await expect(outcome).rejects.toBe(signal.reason);
  });

  it("is lost to a process that was stopped: it does not renew, nor return what it made, and its token is older", async () => {
    const late: (() => void)[] = [];
    let isStopped = false;
    const after: ManualClock["after"] = (ms, callback) =>
      clock.after(ms, () => (isStopped ? void late.push(callback) : callback()));
    const { signal, token, done, outcome } = await hold({ ...store, clock: { ...clock, after } });
    isStopped = true;
    await clock.advance(3_000);
    expect(await tryElsewhere()).toBeGreaterThan(token);
    expect([signal.aborted, late.length]).toEqual([false, 2]);
    // It goes on: the timers of the renewal and of the end fire late, in this order.
    let renewals = 0;
    take = (...args) => {
      renewals++;
      return memory.take(...args);
    };
    for (const fire of late) fire();
    expect(renewals).toBe(0);
    expect(signal.reason).toMatchObject({ code: "LOCK_LOST" });
    done.resolve("made alone?");
    await expect(outcome).rejects.toMatchObject({ code: "LOCK_LOST" });
  });

  it("is lost to work that blocked its process, though no timer has fired yet", async () => {
    const blocking = withLock(
      { ...store, clock: { ...clock, after: () => () => {} } },
      "job",
      () => clock.advance(3_000),
      LEASE,
    );
    await expect(blocking).rejects.toMatchObject({ code: "LOCK_LOST" });
  });

  it("that ran out is not taken anew by a renewal, even if nobody has it: others may have been there meanwhile", async () => {
    // This machine slept, and its monotonic clock with it: only the store knows.
    const asleep = manualClock();
    const { signal, done, outcome } = await hold({ ...store, clock: asleep });
    await clock.advance(3_000);
    await tryElsewhere();
    await asleep.advance(1_000);
    expect(signal.reason).toMatchObject({ code: "LOCK_LOST" });
    done.resolve(1);
    await expect(outcome).rejects.toMatchObject({ code: "LOCK_LOST" });
  });

  it("is lost when the store has forgotten it, and others get a greater token", async () => {
    const { signal, token, done, outcome } = await hold();
    const before = memory;
    memory = memoryStore({ clock });
    take = memory.take;
    expect(before.stats().keys).toBeGreaterThan(0);
    await clock.advance(1);
    expect(await tryElsewhere()).toBeGreaterThan(token);
    await clock.advance(999);
    expect(signal.reason).toMatchObject({ code: "LOCK_LOST" });
    done.resolve(1);
    await expect(outcome).rejects.toMatchObject({ code: "LOCK_LOST" });
  });

  it("that was lost does not give back what others hold now", async () => {
    const { done, outcome } = await hold();
    take = () => Promise.reject(new Error("down"));
    await clock.advance(3_000);
    take = memory.take;
    await hold(elsewhere);
    done.resolve(1);
    await expect(outcome).rejects.toMatchObject({ code: "LOCK_LOST" });
    await expect(tryElsewhere()).rejects.toMatchObject({ code: "LOCK_NOT_ACQUIRED" });
  });

  it("passes the caller's abort on to the work, and stays until that has ended", async () => {
    const controller = new AbortController();
    const { signal, done, outcome } = await hold(store, { ...LEASE, signal: controller.signal });
    controller.abort("enough");
    expect(signal.reason).toBe("enough");
    await clock.advance(10_000);
    await expect(tryElsewhere()).rejects.toMatchObject({ code: "LOCK_NOT_ACQUIRED" });
    done.resolve("cleaned up");
    expect(await outcome).toBe("cleaned up");
    await tryElsewhere();
  });

  it("throws what the work threw, also when the lock was lost", async () => {
    const { done, outcome } = await hold();
    take = () => Promise.reject(new Error("down"));
    await clock.advance(3_000);
    done.reject(new Error("own"));
    await expect(outcome).rejects.toThrow("own");
  });
});

describe("the token", () => {
  it("is an integer that grows with every acquisition, over days and wherever it is asked for", async () => {
    let last = 0;
    for (let i = 0; i < 100; i++) {
      const token = await withLock(i % 2 ? store : elsewhere, "job", (locked) => locked.token);
      expect(Number.isSafeInteger(token)).toBe(true);
      expect(token).toBeGreaterThan(last);
      last = token;
      await clock.advance(i % 3 === 0 ? 0 : 3_600_000);
    }
  });

  it("of one name is no business of another", async () => {
    const first = await withLock(store, "a", ({ token }) => token);
    await withLock(store, "b", () => {});
    expect(await withLock(store, "a", ({ token }) => token)).toBe(first + 1);
  });

  it("over a memory store grows from one life of a process to the next", async () => {
    const first = await withLock(memory, "job", ({ token }) => token);
    const later = manualClock({ wall: new Date("2026-01-01T00:00:10Z") });
    const next = await withLock(memoryStore({ clock: later }), "job", ({ token }) => token);
    expect(next).toBeGreaterThan(first);
    expect(next).toBeLessThan(2 ** 53);
  });
});
