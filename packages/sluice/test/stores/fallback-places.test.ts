import { createConcurrencyLimiter, type FallbackPolicy, fallback, localShare, Mode } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { settled } from "../limiter/held-store.ts";
import { POLICIES } from "./fallback-scene.ts";
import { faultyStore } from "./faulty-store.ts";
import { expectNoUnhandledRejections } from "./unhandled-rejections.ts";

expectNoUnhandledRejections();

describe("places", () => {
  function places(policy: FallbackPolicy, limit = 4) {
    const clock = manualClock();
    const faulty = faultyStore(clock);
    const store = fallback(faulty, policy);
    const options = { limit, leaseMs: 60_000 };
    const slots = createConcurrencyLimiter({ ...options, store });
    const direct = createConcurrencyLimiter({ ...options, store: faulty.memory });
    const free = () => direct.peek("k").remaining + (direct.peek("k").allowed ? 1 : 0);
    return { clock, faulty, slots, free };
  }

  it.each(Object.entries(POLICIES))(
    "stay held through an outage, and are given back after it: %s",
    async (_name, policy) => {
      const { faulty, slots, free } = places(policy);
      const lease = await slots.acquire("k");
      expect(free()).toBe(3);
      faulty.health = "down";
      expect(await lease.renew()).toBe(true);
      await lease.release();
      expect(free()).toBe(3);
      faulty.health = "up";
      await slots.peek("other");
      await settled();
      expect(free()).toBe(4);
    },
  );

  it("are taken of a share in an outage, and move to the store when it is back", async () => {
    const { faulty, slots, free } = places(localShare(2));
    faulty.health = "down";
    const [one, two, none] = await Promise.all([slots.acquire("k"), slots.acquire("k"), slots.acquire("k")]);
    expect(one!.decision).toMatchObject({ allowed: true, degraded: true });
    expect(two!.decision.allowed).toBe(true);
    expect(none!.decision).toMatchObject({ allowed: false, degraded: true });
    expect(await one!.renew()).toBe(true);
    await two!.release();
    faulty.health = "up";
    await slots.peek("other");
    await settled();
    expect(free()).toBe(4);
    expect(await one!.renew()).toBe(true);
    expect(free()).toBe(3);
    await one!.release();
    expect(free()).toBe(4);
    faulty.health = "down";
    const again = await Promise.all([slots.acquire("k"), slots.acquire("k")]);
    expect(again.map(({ decision }) => decision.allowed)).toEqual([true, true]);
  });

  it("are lost to others when the store has none left for them", async () => {
    const { faulty, slots } = places(localShare(1), 1);
    faulty.health = "down";
    const here = await slots.acquire("k");
    faulty.health = "up";
    const there = await slots.acquire("k");
    expect(there.decision.allowed).toBe(true);
    expect(await here.renew()).toBe(false);
  });

  it("count against the share when the store granted them", async () => {
    const { faulty, slots } = places(localShare(2));
    const leases = await Promise.all([1, 2, 3].map(() => slots.acquire("k"))); // more than the share
    faulty.health = "down";
    for (const lease of leases) expect(await lease.renew()).toBe(true);
    expect((await slots.acquire("k")).decision.allowed).toBe(false);
  });

  it("are given back when the store granted what the caller was refused", async () => {
    const { faulty, slots, free } = places("closed");
    faulty.health = "deaf";
    expect((await slots.acquire("k")).decision.allowed).toBe(false);
    expect(free()).toBe(3);
    faulty.health = "up";
    await slots.peek("other");
    await settled();
    expect(free()).toBe(4);
  });

  it("wait to be given back while the store fails again", async () => {
    const { faulty, slots, free } = places("closed");
    const leases = await Promise.all([1, 2, 3].map(() => slots.acquire("k")));
    faulty.health = "down";
    for (const lease of leases) await lease.release();
    const { take } = faulty;
    faulty.take = async (...args) => {
      if (args[1]?.mode === Mode.force) throw new Error("once more");
      return take(...args);
    };
    faulty.health = "up";
    await slots.peek("other");
    await settled();
    expect(free()).toBe(1);
    faulty.take = take;
    await slots.peek("other");
    await settled();
    expect(free()).toBe(4);
  });

  it("run tasks through an outage", async () => {
    const { clock, faulty, slots, free } = places("closed");
    let end = () => {};
    const run = slots.run("k", () => new Promise<void>((resolve) => (end = resolve)));
    await clock.advance(1000);
    faulty.health = "down";
    await clock.advance(50_000);
    faulty.health = "up";
    await clock.advance(30_000);
    expect(free()).toBe(3);
    end();
    await run;
    expect(free()).toBe(4);
  });
});
