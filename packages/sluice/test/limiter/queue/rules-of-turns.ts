import assert from "node:assert/strict";
import { concurrency } from "../../../src/algorithms/concurrency.ts";
import { slidingWindow } from "../../../src/algorithms/sliding-window.ts";
import { desk, idsOf, places, ticket, tickets, window } from "./desk.ts";
import type { Rule } from "./rules.ts";

/** Who is next, and who hears of it. */
export const rulesOfTurns: readonly Rule[] = [
  {
    name: "grants what the limit allows, and says when the next can start",
    check() {
      const { ask } = desk();
      const reply = ask(0, "a", { enter: tickets(1, 2, 3) });
      assert.deepEqual(idsOf(reply), [1, 2]);
      assert.deepEqual([reply.length, reply.ahead, reply.nextAfter, reply.wakeAfter], [1, 0, 1_050_000, 1_050_000]);
      assert.deepEqual(idsOf(ask(1049.999, "a")), []);
      assert.deepEqual(idsOf(ask(1050, "a")), [3]);
    },
  },
  {
    name: "wakes the first in line, then the two behind him, each later by the grace; and nobody else",
    check() {
      const { ask, news } = desk([window(1)]);
      ask(0, "z", { enter: tickets(9) });
      const waits = ["a", "b", "c", "d"].map((owner, i) => ask(10, owner, { enter: tickets(i + 1) }).wakeAfter);
      assert.deepEqual(waits, [1_040_000, 1_090_000, 1_140_000, undefined]);
      assert.deepEqual(news(), []);
    },
  },
  {
    name: "grants together what flows back one after the other, where so much fits into the limit",
    check() {
      const second = (interval: number) => {
        const { ask } = desk([window(2)], { interval });
        ask(0, "a", { enter: tickets(1) });
        ask(3, "a", { enter: tickets(2) });
        ask(10, "a", { enter: tickets(3, 4) });
        return ask(1050, "a");
      };
      assert.deepEqual([idsOf(second(500_000)), second(500_000).wakeAfter], [[3], 8_000]);
      assert.deepEqual([idsOf(second(20_000)), second(20_000).wakeAfter], [[3], 4_000]);
      assert.deepEqual(second(10_000).wakeAfter, 3_000);
    },
  },
  {
    name: "tells who became the first in line, once",
    check() {
      const { ask, news } = desk([window(1)]);
      ask(0, "z", { enter: tickets(9) });
      ask(10, "a", { enter: tickets(1) });
      ask(10, "b", { enter: tickets(2) });
      ask(20, "a", { leave: [1] });
      assert.deepEqual(
        news().map(({ owner, wakeAfter }) => [owner, wakeAfter]),
        [["b", 1_030_000]],
      );
      ask(30, "c");
      assert.deepEqual(news(), []);
      ask(40, "z", { unused: [{ id: 9, lane: "~a~x", cost: 1, receipts: [1_000_000_000] }] });
      assert.deepEqual(
        news().map(({ owner, grants }) => [owner, grants.map(({ id }) => id)]),
        [["b", [2]]],
      );
    },
  },
  {
    name: "tells the first in line again when it can start sooner than it was told",
    check() {
      const { ask, news } = desk([window(2)]);
      const [, second] = [ask(0, "z", { enter: tickets(8) }), ask(500, "z", { enter: tickets(9) })];
      ask(510, "a", { enter: [ticket(1, { cost: 2 })] });
      ask(520, "z", { unused: second.grants });
      assert.deepEqual(
        news().map(({ owner, wakeAfter }) => [owner, wakeAfter]),
        [["a", 530_000]],
      );
    },
  },
  {
    name: "stands a ticket where its offset says, in its lane",
    check() {
      const { ask } = desk([window(1)]);
      ask(0, "a", { enter: tickets(9) });
      ask(100, "a", { enter: [ticket(1), ticket(2, { offset: -50_000 })] });
      ask(140, "a", { enter: [ticket(3, { offset: -50_000 })] });
      assert.deepEqual(
        [1100, 2200, 3300].flatMap((at) => idsOf(ask(at, "a"))),
        [2, 3, 1],
      );
    },
  },
  {
    name: "tells of tickets that can never be granted, and keeps none of them",
    check() {
      const { ask } = desk([window(2), window(1, "lane")]);
      ask(0, "a", { enter: tickets(1, 2) });
      const reply = ask(1, "b", { enter: [ticket(3, { cost: 2 })], waiting: [3] });
      assert.deepEqual([reply.never, reply.missing, reply.length], [[3], [], 1]);
    },
  },
  {
    name: "names the tickets that should be there and are not",
    check() {
      const { ask } = desk();
      const reply = ask(0, "a", { enter: tickets(1, 2, 3), waiting: [1, 2, 3, 4] });
      assert.deepEqual(reply.missing, [4]);
      assert.deepEqual(ask(1, "a", { waiting: [1, 3] }).missing, [1]);
    },
  },
  {
    name: "takes a ticket once, and lets only its owner leave",
    check() {
      const { ask } = desk([window(1)]);
      ask(0, "a", { enter: tickets(9, 1) });
      ask(1, "a", { enter: tickets(1) });
      assert.equal(ask(2, "b", { leave: [1] }).length, 1);
      assert.equal(ask(3, "a", { leave: [1] }).length, 0);
    },
  },
  {
    name: "lets lanes take turns, and a newcomer begin where the others are",
    check() {
      const { ask, news } = desk([window(1)]);
      const lane = (name: string, ...ids: number[]) => ids.map((id) => ticket(id, { lane: name }));
      ask(0, "a", { enter: lane("~a~x", 1, 2, 3, 4, 5, 6) });
      ask(1100, "a");
      ask(2200, "a");
      ask(2201, "b", { enter: lane("~b~x", 11, 12, 13) });
      const order = [3300, 4400, 5500, 6600].flatMap((at) => {
        const reply = ask(at, "a");
        return [...idsOf(reply), ...news().flatMap(idsOf)];
      });
      assert.deepEqual(order, [4, 11, 5, 12]);
    },
  },
  {
    name: "does not let an endless row of new lanes starve one that was served before",
    check() {
      const { ask, news } = desk([window(1)]);
      const fresh = (id: number) => ticket(id, { lane: `~${id}~x` });
      ask(0, "a", { enter: tickets(1, 2) });
      ask(1, "b", { enter: [fresh(101), fresh(102), fresh(103)] });
      const served = Array.from({ length: 12 }, (_, i) => [
        ...idsOf(ask(1100 * (i + 1), "b", { enter: [fresh(110 + i)] })),
        ...news().flatMap(idsOf),
      ]).flat();
      assert.ok(served.includes(2), `served ${served}`);
    },
  },
  {
    name: "forgets lanes that had no more than their share",
    check() {
      const { ask, store } = desk([window(1)]);
      for (let i = 1; i <= 30; i++) ask(i * 1100, "a", { enter: [ticket(i, { lane: `~${i}~x` })] });
      ask(40_000, "b");
      assert.deepEqual(Object.keys(store.state.lanes), []);
    },
  },
  {
    name: "does not let a lane that its own limit held up save up turns",
    check() {
      const slow = { space: "slow", algorithm: slidingWindow({ limit: 1, periodMs: 100_000 }) };
      const { ask, store } = desk([window(1), { ...window(1, "lane"), ledger: slow }]);
      assert.deepEqual(idsOf(ask(0, "a", { enter: tickets(1, 2) })), [1]);
      for (let i = 1; i <= 8; i++) ask(i * 1100, "a", { enter: [ticket(50 + i, { lane: `~${i}~x` })] });
      assert.ok(store.state.served >= 4);
      ask(9_900, "a");
      assert.equal(store.state.lanes["~a~x"], store.state.served);
    },
  },
  {
    name: "goes on with other lanes while one waits for its own limit, or the common one is near for it alone",
    check() {
      const { ask } = desk([window(3), window(1, "group")]);
      const reply = ask(0, "a", {
        enter: [ticket(1), ticket(2), ticket(3, { lane: "~b~x" }), ticket(4, { lane: "~b~y" })],
      });
      assert.deepEqual(idsOf(reply), [1, 3]);
      assert.equal(reply.nextAfter, 1_050_000);
    },
  },
  {
    name: "counts lanes of one group together, and those of one rest",
    check() {
      const lanes = ["~a~x", "~a~y", "~b~x"].map((lane, i) => ticket(i + 1, { lane }));
      assert.deepEqual(idsOf(desk([window(1, "group")]).ask(0, "o", { enter: lanes })), [1, 3]);
      assert.deepEqual(idsOf(desk([window(1, "rest")]).ask(0, "o", { enter: lanes })), [1, 2]);
      assert.deepEqual(idsOf(desk([window(1, "lane")]).ask(0, "o", { enter: lanes })), [1, 2, 3]);
    },
  },
  {
    name: "starts the next of a lane at once when a place of it is given back",
    check() {
      const { ask } = desk([window(9), places(1, "lane")]);
      const [first] = ask(0, "a", { enter: tickets(1, 2) }).grants;
      const reply = ask(10, "a");
      assert.deepEqual([idsOf(reply), reply.nextAfter], [[], 59_990_000]);
      assert.deepEqual(idsOf(ask(20, "a", { ended: [first!] })), [2]);
    },
  },
  {
    name: "holds a place on after the end, and while the call runs",
    check() {
      const base = places(1);
      const rule = { ...base, afterEnd: { ...base.ledger, algorithm: concurrency({ limit: 1, leaseMs: 300 }) } };
      const { ask } = desk([rule]);
      ask(0, "a", { enter: tickets(1, 2) });
      ask(50, "a", { running: [ticket(1)] });
      const ended = ask(100, "a", { ended: [ticket(1)] });
      assert.equal(ended.nextAfter, 300_000);
      assert.deepEqual(idsOf(ask(400, "a")), [2]);
      ask(50_000, "a", { running: [ticket(2)] });
      assert.equal(ask(61_000, "a", { enter: tickets(3) }).nextAfter, 49_000_000);
    },
  },
];
