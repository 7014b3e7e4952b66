import fc from "fast-check";
import { createLimiter, memoryStore, type Store, StoreTimeoutError, StoreUnavailableError, timeout } from "sluice";
import { type ManualClock, manualClock, storeSuite } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { seeded } from "../algorithms/subjects.ts";
import { heldStore, settled } from "../limiter/held-store.ts";

/** A store that answers later, as stores do that are asked over a wire. */
function remote(clock: ManualClock): Store {
  const memory = memoryStore({ clock });
  return {
    clock,
    take: async (...args) => memory.take(...args),
    forget: async (accounts) => memory.forget(accounts),
  };
}

const unhandled = vi.fn();
beforeEach(() => void process.on("unhandledRejection", unhandled));
afterEach(async () => {
  await settled();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

describe("a store with a timeout", () => {
  it.each(storeSuite((clock) => timeout(remote(clock))))("$name", async ({ check }) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), (seed) => check(seeded(seed))),
      { numRuns: 50, endOnFailure: true },
    );
  });
});

/** A limiter over a held store, and what became of its calls. */
function scene(options?: Parameters<typeof timeout>[1]) {
  const clock = manualClock();
  const held = heldStore(clock);
  const store = timeout(held, options);
  const limiter = createLimiter({ quota: "10/min", store });
  const results: unknown[] = [];
  const call = () => {
    const n = results.push("waiting") - 1;
    limiter.consume("k").then(
      ({ allowed }) => (results[n] = allowed),
      (error) => (results[n] = error),
    );
  };
  /** Calls that the store fails, one after the other. */
  const fail = async (times: number, error = new Error("the wire is cut")) => {
    for (let i = 0; i < times; i++) {
      call();
      await held.fail(error);
    }
  };
  return { clock, held, store, limiter, results, call, fail };
}

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

it("refuses to break after no failure", () => {
  expect(() => timeout(heldStore(manualClock()), { breakAfter: 0 })).toThrow("breakAfter must be");
});

describe("the breaker", () => {
  beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.5));
  afterEach(() => void vi.restoreAllMocks());

  it("sends nothing after five failures in a row, and says why and for how long", async () => {
    const { held, results, call, fail } = scene();
    await fail(5);
    call();
    await settled();
    expect(held.asked).toBe(0);
    expect(results[5]).toBeInstanceOf(StoreUnavailableError);
    expect(results[5]).toMatchObject({
      code: "STORE_UNAVAILABLE",
      retryAfterMs: 1000,
      cause: new Error("the wire is cut"),
    });
  });

  it("counts timeouts as failures", async () => {
    const { clock, held, results, call } = scene();
    for (let i = 0; i < 5; i++) call();
    await clock.advance(50);
    call();
    await settled();
    expect(held.asked).toBe(5);
    expect(results[5]).toBeInstanceOf(StoreUnavailableError);
  });

  it("starts anew when a call is answered in between", async () => {
    const { held, call, fail } = scene();
    for (let i = 0; i < 3; i++) {
      await fail(4);
      call();
      await held.answer();
    }
    call();
    expect(held.asked).toBe(1);
  });

  it("opens when more than half of twenty calls within ten seconds fail", async () => {
    const { clock, held, call, fail, results } = scene();
    const pair = async () => {
      await fail(1);
      call();
      await held.answer();
    };
    call();
    await held.answer();
    for (let i = 0; i < 9; i++) await pair();
    await fail(2); // 11 of 21
    expect(results.at(-1)).toEqual(new Error("the wire is cut"));
    call();
    await settled();
    expect(results.at(-1)).toBeInstanceOf(StoreUnavailableError);
    await clock.advance(1000);
    call();
    await held.answer(); // the probe
    await fail(1);
    expect(results.at(-1)).toEqual(new Error("the wire is cut"));
  });

  it("forgets calls that are more than ten seconds ago", async () => {
    const { clock, held, call, fail } = scene();
    for (let i = 0; i < 9; i++) {
      await fail(2);
      call();
      await held.answer();
      await clock.advance(2000);
    }
    call();
    expect(held.asked).toBe(1);
  });

  it("lets one call through after the pause, doubles the pause up to ten seconds, and closes when it is answered", async () => {
    const { clock, held, results, call, fail } = scene();
    await fail(5);
    for (const pauseMs of [1000, 2000, 4000, 8000, 10_000, 10_000]) {
      await clock.advance(pauseMs - 1);
      call();
      await settled();
      expect(held.asked).toBe(0);
      await clock.advance(1);
      call();
      call();
      await settled();
      expect(held.asked).toBe(1);
      expect(results.at(-1)).toBeInstanceOf(StoreUnavailableError);
      await held.fail(new Error("still cut"));
    }
    await clock.advance(10_000);
    call();
    await held.answer();
    call();
    call();
    expect(held.asked).toBe(2);
  });

  it("spreads the first probe over 0.5 to 1.5 s", async () => {
    for (const [random, ms] of [
      [0, 500],
      [0.999, 1499],
    ] as const) {
      vi.spyOn(Math, "random").mockReturnValue(random);
      const { clock, held, call, fail } = scene();
      await fail(5);
      await clock.advance(ms - 1);
      call();
      await settled();
      expect(held.asked).toBe(0);
      await clock.advance(1);
      call();
      expect(held.asked).toBe(1);
    }
  });

  it("is not told anything by calls that were sent before it opened", async () => {
    const { clock, held, results, call } = scene();
    for (let i = 0; i < 7; i++) call();
    for (let i = 0; i < 5; i++) await held.fail(new Error("cut"));
    await held.answer();
    await held.fail(new Error("cut"));
    call();
    await settled();
    expect(results.at(-1)).toBeInstanceOf(StoreUnavailableError);
    await clock.advance(1000);
    call();
    expect(held.asked).toBe(1);
  });

  it("does not count the caller's own errors, also when they end a probe", async () => {
    const { clock, held, results, call, fail } = scene();
    await fail(10, new RangeError("a cost of half a unit"));
    await fail(10, new TypeError("no key"));
    expect(results.at(-1)).toBeInstanceOf(TypeError);
    await fail(5, new TypeError("fetch failed", { cause: new Error("refused") }));
    call();
    await settled();
    expect(results.at(-1)).toBeInstanceOf(StoreUnavailableError);
    await clock.advance(1000);
    await fail(1, new RangeError("a cost of half a unit"));
    call();
    expect(held.asked).toBe(1);
  });

  it("stays closed when told so", async () => {
    const { held, call, fail } = scene({ breakAfter: Infinity });
    await fail(100);
    call();
    expect(held.asked).toBe(1);
  });
});
