import { StoreUnavailableError, timeout } from "sluice";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { heldStore, settled } from "../limiter/held-store.ts";
import { scene } from "./timeout-scene.ts";
import { expectNoUnhandledRejections } from "./unhandled-rejections.ts";

expectNoUnhandledRejections();

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
