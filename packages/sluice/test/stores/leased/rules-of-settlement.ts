import {
  benchTop,
  conserved,
  drain,
  handedBack,
  insist,
  type Library,
  QUOTA,
  same,
  settled,
  warm,
} from "./bench-top.ts";

/** What holds for refunds, for the end of a store, and for what is not leased. */
export const settlementRules: Record<string, (library: Library) => Promise<void>> = {
  async "puts a refund back into its lot while that is alive"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    const { held, storeCalls } = top.store.stats();
    const { release } = await top.limiter.reserve("k", 5);
    await release();
    same(top.store.stats().held, held, "units in hand");
    same(top.store.stats().storeCalls, storeCalls, "calls of the store");
    conserved(top.store.stats());
  },

  async "hands back under the receipt of the oldest lot what a call took out of several"(library) {
    const top = benchTop(library);
    await warm(top, 8);
    const first = top.store.stats().held;
    const { receipt } = (await top.store.take(demandOf(top, first - 1)))[0]!;
    top.clock.advanceSync(40);
    const [spanning] = await top.store.take(demandOf(top, 6));
    same(spanning!.receipt, receipt, "the receipt");
    const settle = { mode: library.Mode.force };
    await top.store.take(demandOf(top, -6, receipt), settle);
    const asked = top.calls.length;
    const [again] = await top.store.take(demandOf(top, 8));
    same(top.calls.length, asked, "calls of the store for units in hand");
    same(again!.receipt, receipt, "the receipt of units in hand");
    top.clock.advanceSync(40);
    const before = top.calls.length;
    await top.store.take(demandOf(top, -8, again!.receipt), settle);
    const [back] = top.calls
      .slice(before)
      .flat()
      .filter(({ cost }) => cost === -8);
    same(back?.receipt, receipt, "the receipt under which units went back");
  },

  async "puts what fits into the lots in hand, and hands back the rest alone"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    await top.clock.advance(200);
    const { used } = top.store.stats();
    await warm(top, 10);
    const inHand = top.store.stats().used - used;
    await top.limiter.refund("k", inHand + 5);
    same((await top.limiter.peek("k", 0)).remaining, 1000 - used + 5, "remaining");
    conserved(top.store.stats());
  },

  async "gives a part of a lot back once that was taken aside for a refused call"(library) {
    const quota = [QUOTA, "3/10s"].map((text, i) => library.parseRate(text, { name: `q${i}` }));
    const top = benchTop(library, { quota: [quota[0]!] });
    await warm(top, 20);
    const { held } = top.store.stats();
    const both = library.createLimiter({ quota, store: top.store });
    top.hold();
    const refused = both.consume("k", 5);
    await top.clock.advance(200);
    await top.letGo();
    same((await refused).allowed, false, "allowed");
    await top.clock.advance(500);
    same(handedBack(top), held, "units that went back");
    conserved(top.store.stats());
  },

  async "takes off a bucket's burst what flows back in a lease"(library) {
    const top = benchTop(library, { quota: "1000/10s burst 1000" });
    await warm(top, 12);
    await top.limiter.refund("k", top.store.stats().used);
    await top.clock.advance(180);
    const passed = await drain(top);
    insist(passed > 950 && passed <= 1000, () => `${passed} units at once from a burst of 1000`);
  },

  async "keeps what a bucket granted: it cannot go back soundly"(library) {
    const top = benchTop(library, { quota: "1000/10s burst 1000" });
    await warm(top, 4);
    const { held } = top.store.stats();
    await top.clock.advance(1_000);
    same(top.store.stats().expired, held, "expired");
    same(
      top.calls.flat().some(({ cost }) => cost < 0),
      false,
      "handed back",
    );
    conserved(top.store.stats());
  },

  async "gives everything back when it is closed"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    const { used } = top.store.stats();
    await top.store.close();
    const { held, returned } = top.store.stats();
    same(held, 0, "units in hand");
    insist(returned > 0, () => "nothing went back");
    same(top.clock.pending, 0, "timers");
    same(await drain(top.another()), 1000 - used, "units for others");
  },

  async "keeps nothing of an answer that was made without the store"(library) {
    const top = benchTop(library);
    await warm(top, 8);
    await top.clock.advance(500);
    top.change = (taken) => taken.map((one) => ({ ...one, degraded: true }));
    same((await top.limiter.consume("k")).degraded, true, "degraded");
    same(top.store.stats().held, 0, "units in hand");
  },

  async "asks the store each time for keys beyond the most"(library) {
    const top = benchTop(library, { maxKeys: 4 });
    for (let i = 0; i < 20; i++) await top.limiter.consume(`key ${i}`, 10);
    const { storeCalls } = top.store.stats();
    await top.limiter.consume("key 19");
    same(top.store.stats().storeCalls, storeCalls + 1, "calls of the store");
    same((await top.limiter.peek("key 19")).remaining, 988, "left of a key that is not remembered");
  },

  async "leaves quotas to the store that are too small for shares"(library) {
    const top = benchTop(library, { quota: "5/10s" });
    for (let i = 0; i < 5; i++) same((await top.limiter.consume("k")).allowed, true, "allowed");
    same((await top.limiter.consume("k")).allowed, false, "the sixth");
    same(top.store.stats().granted, 0, "granted");
    same(top.calls.length, 6, "calls of the store");
  },

  async "peeks at what is here and at the store together"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    const { used } = top.store.stats();
    same((await top.limiter.peek("k", 0)).remaining, 1000 - used, "remaining");
    same((await top.limiter.peek("k", 1001)).allowed, false, "more than there can be");
  },

  async "forgets a key here and at the store"(library) {
    const top = benchTop(library);
    await drain(top);
    await top.limiter.reset("k");
    same((await top.limiter.peek("k")).remaining, 999, "remaining");
    same(await drain(top), 1000, "allowed");
    same(top.store.stats().stateLosses, 0, "state losses");
    await settled();
  },
};

function demandOf(top: ReturnType<typeof benchTop>, cost: number, receipt?: number) {
  const [claim] = top.limiter.claims("k", 1);
  return [{ ...claim!.demand, cost, ...(receipt !== undefined && { receipt }) }];
}
