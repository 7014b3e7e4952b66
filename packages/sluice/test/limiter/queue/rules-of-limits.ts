import assert from "node:assert/strict";
import { fixedWindow } from "../../../src/algorithms/fixed-window.ts";
import { desk, idsOf, places, tickets, window } from "./desk.ts";
import type { Rule } from "./rules.ts";

/** What calls take and give back, and what holds up all of them. */
export const rulesOfLimits: readonly Rule[] = [
  {
    name: "gives back what was not used",
    check() {
      const { ask } = desk([window(1), places(1)]);
      const { grants } = ask(0, "a", { enter: tickets(1, 2) });
      assert.deepEqual(idsOf(ask(500, "a", { unused: grants })), [2]);
    },
  },
  {
    name: "charges corrections, up and down",
    check() {
      const { ask } = desk([window(3)]);
      const [grant] = ask(0, "a", { enter: tickets(1) }).grants;
      ask(10, "a", { corrections: [{ rule: 0, lane: "~a~x", cost: 2 }] });
      assert.deepEqual(idsOf(ask(20, "a", { enter: tickets(2) })), []);
      const receipt = grant!.receipts[0]!;
      assert.deepEqual(idsOf(ask(30, "a", { corrections: [{ rule: 0, lane: "~a~x", cost: -1, receipt }] })), [2]);
      assert.deepEqual(idsOf(ask(40, "a", { corrections: [{ rule: 7, lane: "~a~x", cost: 1 }] })), []);
    },
  },
  {
    name: "starts nobody while it is paused; of two pauses the later end counts",
    check() {
      const { ask } = desk();
      ask(0, "a", { pause: 3_000_000 });
      ask(0, "b", { pause: 1_000_000 });
      const reply = ask(0, "a", { enter: tickets(1) });
      assert.deepEqual([idsOf(reply), reply.nextAfter], [[], 3_000_000]);
      assert.deepEqual(idsOf(ask(3000, "a")), [1]);
    },
  },
  {
    name: "cuts the rate once for calls that had started before, and it comes back in steps",
    check() {
      const { ask } = desk([window(9)]);
      assert.equal(ask(10_000, "a", { cut: 1_000 }).rate, 0.7);
      assert.equal(ask(10_010, "a", { cut: 11_000 }).rate, 0.7);
      assert.equal(ask(10_020, "a", { cut: 5_000 }).rate, 0.49);
      assert.equal(ask(12_020, "a").rate, 0.69);
      const reply = ask(12_030, "a", { enter: tickets(1, 2) });
      assert.deepEqual([idsOf(reply), reply.nextAfter], [[1], Math.ceil(500_000 / 0.69)]);
      assert.equal(ask(60_000, "a").rate, 1);
      for (let i = 0; i < 20; i++) ask(70_000 + i, "a", { cut: 0 });
      assert.equal(ask(70_100, "a").rate, 0.05);
    },
  },
  {
    name: "spaces starts as the limit nears",
    check() {
      const pace = [
        [500_000, 100_000],
        [900_000, 300_000],
      ] as const;
      const { ask } = desk([window(4)], { pace });
      const reply = ask(0, "a", { enter: tickets(1, 2, 3, 4) });
      assert.deepEqual([idsOf(reply), reply.nextAfter], [[1, 2], 100_000]);
      assert.deepEqual(idsOf(ask(99.999, "a")), []);
      assert.deepEqual([idsOf(ask(100, "a")), ask(101, "a").nextAfter], [[3], 99_000]);
      assert.equal(ask(200, "a").nextAfter, undefined);
    },
  },
  {
    name: "says how long a grant is good: for the grace, and not beyond a window that ends",
    check() {
      const day = {
        ...window(9),
        ledger: { space: "day", algorithm: fixedWindow({ limit: 9, periodMs: 1000 }) },
        endsWithWindow: true,
      };
      const { ask } = desk([window(9), day]);
      const [early] = ask(0, "a", { enter: tickets(1) }).grants;
      assert.equal(early!.usable, 50_000);
      const [late] = ask(980, "a", { enter: tickets(2) }).grants;
      assert.deepEqual([late!.usable, late!.remaining, late!.limit], [20_000, 7, 9]);
    },
  },
  {
    name: "passes on the note of the highest rank, to all who are there",
    check() {
      const { ask, news } = desk();
      for (const owner of ["a", "b", "c"]) ask(0, owner);
      ask(1, "a", { note: { rank: 2, text: "limit 5" } });
      assert.deepEqual(
        news()
          .map(({ owner, note }) => [owner, note?.text])
          .sort(),
        [
          ["b", "limit 5"],
          ["c", "limit 5"],
        ],
      );
      assert.equal(ask(2, "b", { note: { rank: 1, text: "limit 9" } }).note?.text, "limit 5");
      assert.deepEqual(news(), []);
      assert.equal(ask(3, "b", { note: { rank: 2, text: "limit 6" } }).note?.text, "limit 6");
      assert.equal(ask(4, "b", { note: { rank: 2, text: "limit 4" } }).note?.text, "limit 6");
    },
  },
  {
    name: "sweeps owners that were not heard of, and their tickets",
    check() {
      const { ask, store } = desk([window(1)]);
      ask(0, "dead", { enter: tickets(1, 2, 3, 4, 5, 6) });
      ask(5_000, "b", { enter: tickets(11) });
      assert.equal(ask(9_999, "b").length, 4);
      assert.deepEqual(idsOf(ask(10_000, "b")), []);
      assert.deepEqual(Object.keys(store.state.owners), ["b"]);
      assert.equal(store.state.tickets.length, 1);
    },
  },
  {
    name: "takes a clock that was set back as if all had been set back",
    check() {
      const { ask, store } = desk([window(1)]);
      ask(20_000, "a", { enter: tickets(1, 2), cut: 0 });
      store.stepClock(-3_600_000_000);
      const reply = ask(20_010, "b", { enter: tickets(3) });
      assert.ok(reply.nextAfter! <= 1_050_000);
      assert.deepEqual(
        store.state.tickets.map(({ id }) => id),
        [2, 3],
      );
      assert.equal(ask(31_000, "b").length, 1);
      assert.equal(Object.keys(store.state.owners).length, 1);
      assert.ok(ask(40_000, "b").rate > 0.7);
    },
  },
];
