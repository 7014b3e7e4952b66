import { type Account, createLimiter, type FallbackPolicy, fallback, localShare, reserveTogether } from "sluice";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { settled } from "../limiter/held-store.ts";
import { faultyStore } from "./faulty-store.ts";
import { expectNoUnhandledRejections } from "./unhandled-rejections.ts";

expectNoUnhandledRejections();

const byName: Readonly<Record<string, FallbackPolicy>> = { shut: "closed", loose: "open", part: localShare(2) };

function scene() {
  const faulty = faultyStore(manualClock());
  const policyOf = ({ ledger }: Account): FallbackPolicy => byName[ledger.space.split("/")[0]!]!;
  const store = fallback(faulty, policyOf);
  const limiter = (name: string) => createLimiter({ name, quota: "4/min", store });
  const [shut, loose, part] = [limiter("shut"), limiter("loose"), limiter("part")];
  const together = async (...charged: (typeof shut)[]) =>
    (await reserveTogether(charged.map((one) => ({ limiter: one, key: "k" })))).decision;
  return { faulty, store, shut, loose, part, together };
}

describe("a fallback whose policy differs by account", () => {
  it("answers each by its own", async () => {
    const { faulty, shut, loose, part } = scene();
    faulty.health = "down";
    expect(await shut.consume("k")).toMatchObject({ allowed: false, degraded: true });
    expect(await loose.consume("k")).toMatchObject({ allowed: true, degraded: true });
    const shares = [await part.consume("k"), await part.consume("k"), await part.consume("k")];
    expect(shares.map(({ allowed }) => allowed)).toEqual([true, true, false]);
  });

  it("allows what falls under several when all of them allow it, and takes nothing else", async () => {
    const { faulty, store, shut, loose, part, together } = scene();
    faulty.health = "down";
    expect(await together(part, shut)).toMatchObject({ allowed: false, degraded: true });
    expect(await together(shut, part, loose)).toMatchObject({ allowed: false, degraded: true });
    // Nothing of the share is gone.
    expect(await together(part, loose)).toMatchObject({ allowed: true });
    expect(await together(loose, part)).toMatchObject({ allowed: true });
    expect(await together(part, loose)).toMatchObject({ allowed: false });
    expect(store.stats()).toMatchObject({ closed: 2, localShare: 3, open: 0 });
  });

  it("tells the store what was used of shares, and nothing of the others", async () => {
    const { faulty, shut, loose, part, together } = scene();
    faulty.health = "down";
    await together(part, loose);
    await loose.consume("k");
    faulty.health = "up";
    await shut.peek("somebody else");
    await settled();
    expect(await part.consume("k")).toMatchObject({ remaining: 2, degraded: false });
    expect(await loose.consume("k")).toMatchObject({ remaining: 3, degraded: false });
  });

  it("names a policy that there is not", async () => {
    const faulty = faultyStore(manualClock());
    const limiter = createLimiter({ quota: "4/min", store: fallback(faulty, () => "perhaps" as never) });
    faulty.health = "down";
    await expect(Promise.resolve(limiter.consume("k"))).rejects.toThrow('it is "perhaps"');
  });
});
