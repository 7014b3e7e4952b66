import fc from "fast-check";
import { createLimiter, memoryStore, type Store, StoreTimeoutError, timeout } from "sluice";
import { type ManualClock, manualClock, storeSuite } from "sluice/testing";
import { describe, expect, it, vi } from "vitest";
import { seeded } from "../algorithms/subjects.ts";
import { heldStore, settled } from "../limiter/held-store.ts";
import { scene } from "./timeout-scene.ts";
import { expectNoUnhandledRejections } from "./unhandled-rejections.ts";

/** A store that answers later, as stores do that are asked over a wire. */
function remote(clock: ManualClock): Store {
  const memory = memoryStore({ clock });
  return {
    clock,
    take: async (...args) => memory.take(...args),
    forget: async (accounts) => memory.forget(accounts),
  };
}

expectNoUnhandledRejections();

describe("a store with a timeout", () => {
  it.each(storeSuite((clock) => timeout(remote(clock))))("$name", async ({ check }) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
      { numRuns: 50, endOnFailure: true },
    );
  });
});

it("fails each call that is not answered in time, at its own time, with one timer for all", async () => {
  const { clock, results, call } = scene();
  call();
  await clock.advance(20);
  call();
  call();
  expect(clock.pending).toBe(1);
  await clock.advance(29);
  expect(results).toEqual(["waiting", "waiting", "waiting"]);
  await clock.advance(1);
  expect(results[0]).toBeInstanceOf(StoreTimeoutError);
  expect(results[0]).toMatchObject({ code: "STORE_TIMEOUT", message: expect.stringContaining("within 50 ms") });
  expect(results.slice(1)).toEqual(["waiting", "waiting"]);
  await clock.advance(20);
  expect(results.slice(1)).toEqual([expect.any(StoreTimeoutError), expect.any(StoreTimeoutError)]);
  expect(clock.pending).toBe(0);
});

it("drops an answer that comes too late, and a failure that comes too late", async () => {
  const { clock, held, results, call } = scene({ timeoutMs: 5 });
  call();
  call();
  await clock.advance(5);
  await held.answer();
  await held.fail(new Error("too late"));
  expect(results).toEqual([expect.any(StoreTimeoutError), expect.any(StoreTimeoutError)]);
});

it("leaves no timer when calls are answered", async () => {
  const { clock, held, results, call } = scene();
  for (let i = 0; i < 3; i++) {
    call();
    await held.answer();
  }
  expect(clock.pending).toBe(1);
  await clock.advance(50);
  expect(results).toEqual([true, true, true]);
  expect(clock.pending).toBe(0);
});

it("reads what has arrived before it gives up: a busy process does not time out by itself", async () => {
  const { clock, held, results, call } = scene();
  call();
  clock.advanceSync(50); // the timer fires, and the answer lies in the socket
  void held.answer();
  await settled();
  expect(results).toEqual([true]);
});

it("gives a process that was blocked for long the time to read what has arrived", async () => {
  const clock = manualClock();
  const held = heldStore(clock);
  const { elapsed } = clock;
  let blocked = 0;
  const limiter = createLimiter({
    quota: "10/min",
    store: timeout({ ...held, clock: { ...clock, elapsed: () => elapsed() + blocked } }),
  });
  const decision = limiter.consume("k");
  blocked = 3_000_000;
  await clock.advance(54);
  await held.answer();
  expect((await decision).allowed).toBe(true);
});

it("gives up on a store that never answers, with the clock of the process", async () => {
  const limiter = createLimiter({
    quota: "10/min",
    store: timeout({ take: () => new Promise<never>(() => {}), forget: () => new Promise<never>(() => {}) }, 5),
  });
  await expect(limiter.consume("k")).rejects.toThrow(StoreTimeoutError);
  await expect(limiter.reset("k")).rejects.toThrow(StoreTimeoutError);
});

it("keeps no process alive", async () => {
  const clock = manualClock();
  const after = vi.spyOn(clock, "after");
  let time = 0;
  clock.elapsed = () => time;
  const decision = createLimiter({ quota: "1/s", store: timeout(heldStore(clock), 5) }).consume("k");
  decision.catch(() => {});
  time = 100_000; // the event loop was busy
  await clock.advance(20);
  await expect(decision).rejects.toThrow(StoreTimeoutError);
  expect(after.mock.calls.map(([ms, , isBackground]) => [ms, isBackground])).toEqual([
    [5, true],
    [5, true],
  ]);
});

it("leaves a store that answers at once as it is", () => {
  const store = memoryStore();
  expect(timeout(store)).toBe(store);
  expect(createLimiter({ quota: "1/s", store: timeout(store, 20) }).consume("k").allowed).toBe(true);
});

it("passes on what the store throws at once, and closes the store", async () => {
  const close = vi.fn();
  const store = timeout({
    take: () => {
      throw new Error("at once");
    },
    forget: () => undefined,
    close,
  });
  await expect(store.take([])).rejects.toThrow("at once");
  await expect(store.forget([])).resolves.toBeUndefined();
  await store.close?.();
  expect(close).toHaveBeenCalledOnce();
});

it.each([0, -1, Number.NaN, Infinity, "50"])("refuses a timeout of %s", (timeoutMs) => {
  const options = { timeoutMs: timeoutMs as number };
  expect(() => timeout(heldStore(manualClock()), options)).toThrow("timeoutMs must be");
});
