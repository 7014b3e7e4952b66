import { manualClock } from "sluice/testing";
import { benchTop, conserved, drain, handedBack, insist, type Library, QUOTA, same, warm } from "./bench-top.ts";

/** What holds for units: when they are used, and what becomes of those that are not. */
export const grantRules: Record<string, (library: Library) => Promise<void>> = {
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

  async "hands back what came too late, and does not take it for lost"(library) {
    const top = benchTop(library);
    for (let i = 0; i < 2; i++) await top.limiter.consume("k");
    top.hold();
    const late = top.limiter.consume("k");
    top.clock.advanceSync(80);
    await top.letGo();
    same((await late).allowed, true, "allowed");
    for (let i = 0; i < 3; i++) {
      await top.limiter.consume("k");
      top.clock.advanceSync(1);
    }
    // More than were taken before: whoever forgets the older ones for them finds too few.
    insist(handedBack(top) > 2, () => `only ${handedBack(top)} units came too late`);
    same(top.store.stats().stateLosses, 0, "losses of state");
    conserved(top.store.stats());
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
};
