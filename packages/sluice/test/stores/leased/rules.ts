import { manualClock } from "sluice/testing";
import { benchTop, conserved, drain, insist, type Library, QUOTA, same, settled, warm } from "./bench-top.ts";
import { blockRules } from "./rules-of-blocks.ts";

/** Something that is true of every leased store. */
export interface Rule {
  readonly name: string;
  /** @throws Error that says what was found. */
  check(library: Library): Promise<void>;
}

const unitRules: Record<string, (library: Library) => Promise<void>> = {
  async "answers at once, as a promise, with units in hand"(library) {
    const top = benchTop(library);
    await warm(top);
    const { storeCalls, held } = top.store.stats();
    const answer = top.limiter.consume("k", 3);
    insist(answer instanceof Promise, () => "a limiter over a store that is not sync did not answer with a promise");
    same(top.store.stats().held, held - 3, "units in hand before the promise was settled");
    same((await answer).allowed, true, "allowed");
    same(top.store.stats().storeCalls, storeCalls, "calls of the store");
    conserved(top.store.stats());
  },

  async "uses units up to a lease after they were asked for, and not later"(library) {
    for (const [late, isInTime] of [
      [66.5, true],
      [66.62, false],
      [80, false],
    ] as const) {
      const top = benchTop(library);
      await warm(top, 20);
      await top.clock.advance(100);
      for (let i = 0; i < 8; i++) await top.limiter.consume("k");
      await top.clock.advance(100);
      top.hold();
      const first = top.limiter.consume("k", 2);
      top.clock.advanceSync(30);
      await top.letGo();
      await first;
      if (top.store.stats().held === 0) throw new Error("nothing in hand");
      top.clock.advanceSync(late - 30);
      const { storeCalls } = top.store.stats();
      await top.limiter.consume("k");
      same(top.store.stats().storeCalls === storeCalls, isInTime, `used ${late} ms after it was asked for`);
      conserved(top.store.stats());
    }
  },

  async "uses nothing after the machine slept for longer than a lease"(library) {
    const top = benchTop(library);
    await warm(top);
    const { storeCalls } = top.store.stats();
    top.clock.stepWall(70);
    await top.limiter.consume("k");
    insist(top.store.stats().storeCalls > storeCalls, () => "units were used that had been over for the store");
  },

  async "uses nothing after the time on the wall was set back by more than a lease"(library) {
    const top = benchTop(library);
    await warm(top);
    const { storeCalls } = top.store.stats();
    top.clock.stepWall(-3_600_000);
    await top.limiter.consume("k");
    insist(top.store.stats().storeCalls > storeCalls, () => "nobody knows how long ago the units were granted");
  },

  async "lets the store count units for a lease longer than the period"(library) {
    const top = benchTop(library);
    await warm(top, 30);
    const { held } = top.store.stats();
    top.clock.advanceSync(60);
    for (let i = 0; i < held; i++) await top.limiter.consume("k");
    await drain(top);
    top.clock.advanceSync(9_960);
    same((await top.limiter.consume("k", held)).allowed, false, "units of the last period, once more within it");
  },

  async "ends units with the window that they were granted in"(library) {
    const clock = manualClock({ wall: new Date("2026-01-01T00:59:59.900Z") });
    const top = benchTop(library, { quota: "1000/h UTC" }, clock);
    await warm(top, 4);
    top.clock.advanceSync(150);
    const { storeCalls } = top.store.stats();
    await top.limiter.consume("k");
    insist(top.store.stats().storeCalls > storeCalls, () => "a unit of the hour before was used");
    const taken = 1 + (await drain(top));
    same(taken, 1000, "units of the new hour");
  },

  async "takes a grant in part for what it is"(library) {
    const top = benchTop(library);
    const other = top.another();
    await warm(top, 30);
    await drain(other);
    await drain(top);
    const { used } = top.store.stats();
    same(used + other.store.stats().used, 1000, "units used by two processes");
  },

  async "gives what it does not use back once, by its receipt, and not before it is over"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    const { held } = top.store.stats();
    await top.clock.advance(30);
    same(top.store.stats().returned, 0, "units that went back too soon");
    await top.clock.advance(500);
    const back = top.calls.flat().filter(({ cost }) => cost < 0);
    same(
      back.reduce((sum, { cost }) => sum - cost, 0),
      held,
      "units that went back",
    );
    insist(
      back.every(({ receipt }) => receipt !== undefined && receipt > 0),
      () => "units went back without a receipt",
    );
    conserved(top.store.stats());
    same(top.store.stats().held, 0, "units in hand");
  },

  async "sends what failed to go back never again, and does not use it"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    const { held } = top.store.stats();
    top.fail = new Error("gone");
    await top.clock.advance(1_000);
    same(handedBack(top), held, "units handed back");
    same(top.store.stats().held, 0, "units in hand");
    await top.limiter.consume("k").then(
      () => insist(false, () => "a call passed without a store"),
      () => {},
    );
  },

  async "never asks again for a grant that failed"(library) {
    const top = benchTop(library);
    top.fail = new Error("no answer");
    let error: unknown;
    await top.limiter.consume("k").catch((reason: unknown) => {
      error = reason;
    });
    same(error, top.fail, "the error");
    same(top.calls.length, 1, "calls of the store");
  },

  async "goes on with what is in hand while the store fails"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    top.fail = new Error("gone");
    const { held } = top.store.stats();
    await top.limiter.consume("k", held + 5).then(
      () => insist(false, () => "a call passed without a store"),
      () => {},
    );
    for (let i = 0; i < held; i++) same((await top.limiter.consume("k")).allowed, true, "allowed");
    await top.limiter.consume("k").then(
      () => insist(false, () => "a call passed without a store"),
      () => {},
    );
    conserved(top.store.stats());
  },

  async "does not let callers queue up behind a store that fails"(library) {
    const top = benchTop(library);
    top.fail = new Error("gone");
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => top.limiter.consume("k")));
    same(answers.filter(({ status }) => status === "rejected").length, 50, "callers that heard of it");
    same(top.calls.length, 1, "calls of the store");
  },

  async "asks once for all who wait"(library) {
    const top = benchTop(library);
    const answers = await Promise.all(Array.from({ length: 100 }, () => top.limiter.consume("k")));
    same(answers.filter(({ allowed }) => allowed).length, 100, "allowed");
    same(top.calls.length, 2, "calls of the store");
    conserved(top.store.stats());
  },

  async "refuses from memory for a while, and by cost"(library) {
    const top = benchTop(library);
    const other = top.another();
    while ((await other.limiter.peek("k")).remaining >= 5) await other.limiter.consume("k");
    await other.store.close();
    same((await top.limiter.consume("k", 50)).allowed, false, "50 of few");
    const { storeCalls } = top.store.stats();
    for (let i = 0; i < 20; i++) same((await top.limiter.consume("k", 50)).allowed, false, "50 of few, again");
    same(top.store.stats().storeCalls, storeCalls, "calls of the store");
    same((await top.limiter.consume("k", 1)).allowed, true, "1 of few");
  },

  async "says when to retry, and then lets the call pass"(library) {
    const top = benchTop(library);
    await drain(top);
    const refused = await top.limiter.consume("k");
    await top.clock.advance(refused.retryAfterMs - 30);
    same((await top.limiter.consume("k")).allowed, false, "30 ms before the time");
    await top.clock.advance(30);
    same((await top.limiter.consume("k")).allowed, true, `after ${refused.retryAfterMs} ms`);
  },

  async "charges a refused call nothing, also where units were in hand"(library) {
    const quota = [QUOTA, "3/10s"].map((text, i) => library.parseRate(text, { name: `q${i}` }));
    const top = benchTop(library, { quota: [quota[0]!] });
    await warm(top, 20);
    const both = library.createLimiter({ quota, store: top.store });
    for (let i = 0; i < 3; i++) await both.consume("b");
    const before = top.store.stats();
    for (let i = 0; i < 5; i++) same((await both.consume("b")).allowed, false, "the fourth of three");
    same(top.store.stats().used, before.used, "units used by refused calls");
    conserved(top.store.stats());
  },

  async "takes from all quotas in hand, or from none"(library) {
    const quota = [QUOTA, "900/10s"].map((text, i) => library.parseRate(text, { name: `q${i}` }));
    const top = benchTop(library, { quota });
    await warm(top, 40);
    await drain(top);
    const before = top.store.stats();
    for (let i = 0; i < 50; i++) same((await top.limiter.consume("k")).allowed, false, "allowed");
    same(top.store.stats().used, before.used, "units used by refused calls");
    same(before.used, 1800, "units used of two quotas");
    conserved(top.store.stats());
  },

  async "gives units back once that were taken aside for a refused call and ended meanwhile"(library) {
    const top = benchTop(library);
    await warm(top, 20);
    const { held } = top.store.stats();
    top.hold();
    const refused = top.limiter.consume("k", 1_000);
    await top.clock.advance(200);
    await top.letGo();
    same((await refused).allowed, false, "allowed");
    await top.clock.advance(500);
    const back = top.calls
      .flat()
      .filter(({ cost }) => cost < 0)
      .reduce((sum, { cost }) => sum - cost, 0);
    same(back, held, "units that went back");
    conserved(top.store.stats());
  },

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

/** Units that the store was handed back, over all calls. */
const handedBack = ({ calls }: ReturnType<typeof benchTop>): number =>
  calls.flat().reduce((sum, { cost }) => sum - Math.min(0, cost), 0);

function demandOf(top: ReturnType<typeof benchTop>, cost: number, receipt?: number) {
  const [claim] = top.limiter.claims("k", 1);
  return [{ ...claim!.demand, cost, ...(receipt !== undefined && { receipt }) }];
}

export const rules: readonly Rule[] = Object.entries({ ...unitRules, ...blockRules }).map(([name, check]) => ({
  name,
  check,
}));
