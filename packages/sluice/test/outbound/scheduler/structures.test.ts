import fc from "fast-check";
import { manualClock } from "sluice/testing";
import { describe, expect, it } from "vitest";
import { alarm } from "../../../src/outbound/scheduler/alarm.ts";
import { Fifo } from "../../../src/outbound/scheduler/fifo.ts";
import { Heap } from "../../../src/outbound/scheduler/heap.ts";
import { InFlight } from "../../../src/outbound/scheduler/in-flight.ts";
import { Places } from "../../../src/outbound/scheduler/places.ts";
import { Recent } from "../../../src/outbound/scheduler/recent.ts";
import { StoreTime } from "../../../src/outbound/scheduler/store-time.ts";
import { TestCall } from "./calls.ts";

describe("a heap", () => {
  it("gives what a sorted list gives, whatever is added, taken and forgotten in between", () => {
    const step = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom("shift" as const, "odd" as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new Heap<number>((a, b) => a < b);
        let model: number[] = [];
        for (const one of steps) {
          if (typeof one === "number") {
            heap.push(one);
            model = [...model, one].sort((a, b) => a - b);
          } else if (one === "odd") {
            heap.keep((item) => item % 2 === 0);
            model = model.filter((item) => item % 2 === 0);
          } else expect(heap.shift()).toBe(model.shift());
          expect([heap.first(), heap.size]).toEqual([model[0], model.length]);
        }
      }),
    );
  });
});

describe("alarms", () => {
  it("ring at the time that was set last, once, in the order of their times, with one timer for all", () => {
    const set = fc.record({ who: fc.nat({ max: 5 }), at: fc.option(fc.nat({ max: 50 })), pass: fc.nat({ max: 10 }) });
    fc.assert(
      fc.property(fc.array(set, { maxLength: 150 }), (steps) => {
        const clock = manualClock();
        const begin = clock.elapsed();
        const rang: string[] = [];
        const model = new Map<number, number>();
        const alarms = Array.from({ length: 6 }, (_, i) =>
          alarm(clock, () => rang.push(`${i} ${clock.elapsed() - begin}`)),
        );
        let now = 0;
        for (const { who, at, pass } of steps) {
          if (at === null) {
            alarms[who]!.cancel();
            model.delete(who);
          } else {
            alarms[who]!.set(begin + (now + at) * 1000);
            model.set(who, now + at);
          }
          expect(clock.pending).toBe(model.size === 0 ? 0 : 1);
          rang.length = 0;
          clock.advanceSync(pass);
          now += pass;
          const due = [...model].filter(([, time]) => time <= now);
          for (const [i] of due) model.delete(i);
          expect(rang.toSorted()).toEqual(due.map(([i, time]) => `${i} ${time * 1000}`).toSorted());
          const times = rang.map((one) => Number(one.split(" ")[1]));
          expect(times).toEqual(times.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  it("of those that are due together, the one that was set first rings first", () => {
    const clock = manualClock();
    const rang: number[] = [];
    const alarms = Array.from({ length: 20 }, (_, i) => alarm(clock, () => rang.push(i)));
    for (const one of alarms) one.set(clock.elapsed() + 1_000);
    clock.advanceSync(1);
    expect(rang).toEqual(rang.toSorted((a, b) => a - b));
    expect(rang).toHaveLength(20);
  });

  it("one that is set and cancelled very often leaves nothing behind", () => {
    const clock = manualClock();
    const kept = alarm(clock, () => {});
    kept.set(clock.elapsed() + 5);
    const moved = alarm(clock, () => {});
    for (let i = 0; i < 10_000; i++) moved.set(clock.elapsed() + 1_000_000 + i);
    moved.cancel();
    expect(clock.pending).toBe(1);
    kept.cancel();
    expect(clock.pending).toBe(0);
  });
});

describe("a line of calls of one urgency", () => {
  it("is what a list without those that left is, and never counts more before a time than there are", () => {
    const step = fc.oneof(
      fc.record({ add: fc.nat({ max: 3 }), later: fc.nat({ max: 5 }) }),
      fc.record({ insert: fc.nat({ max: 100 }) }),
      fc.record({ leave: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const fifo = new Fifo();
        let model: TestCall[] = [];
        let last = 0;
        for (const one of steps) {
          if ("leave" in one) {
            const call = model[one.leave % Math.max(1, model.length)];
            if (call === undefined) continue;
            call.isWaiting = false;
            fifo.left(call);
            model = model.filter((other) => other !== call);
          } else {
            const arrivedAt = "insert" in one ? Math.min(one.insert, last) : last + one.later;
            last = Math.max(last, arrivedAt);
            const call = new TestCall({ arrivedAt, cost: "add" in one ? one.add : 1 });
            call.isWaiting = true;
            if ("insert" in one) fifo.insert(call);
            else fifo.push(call);
            const at = model.findIndex((other) => other.order > call.order);
            model = at < 0 ? [...model, call] : [...model.slice(0, at), call, ...model.slice(at)];
          }
          expect(fifo.first()).toBe(model[0]);
          expect([...fifo]).toEqual(model);
          expect([fifo.live, fifo.cost]).toEqual([model.length, model.reduce((sum, { cost }) => sum + cost, 0)]);
          expect(fifo.free).toBe(model.filter(({ cost }) => cost === 0).length);
          for (const call of model.slice(0, 3)) {
            expect(fifo.countBefore(call.order)).toBeLessThanOrEqual(
              model.filter(({ order }) => order < call.order).length,
            );
          }
        }
      }),
    );
  });
});

describe("places", () => {
  const life = fc.array(
    fc.record({ pass: fc.nat({ max: 30 }), units: fc.integer({ min: 1, max: 4 }), took: fc.nat({ max: 40 }) }),
    { maxLength: 120 },
  );

  it.each([0, 25])(
    "hold at most their capacity, until %d after the end, and say exactly when there is one",
    (linger) => {
      fc.assert(
        fc.property(life, (calls) => {
          const places = new InFlight(4, linger);
          let running: { end: number; units: number }[] = [];
          let freed: { at: number; units: number }[] = [];
          let now = 0;
          const endUntil = (until: number) => {
            for (const one of running.filter(({ end }) => end <= until).sort((a, b) => a.end - b.end)) {
              places.end(one.units, one.end);
              freed.push({ at: one.end + linger, units: one.units });
            }
            running = running.filter(({ end }) => end > until);
          };
          for (const { pass, units, took } of calls) {
            now += pass;
            endUntil(now);
            const sum = (list: readonly { units: number }[]) => list.reduce((all, one) => all + one.units, 0);
            const heldAt = (at: number) => sum(running) + sum(freed.filter((one) => one.at > at));
            const moments = [now, ...freed.map(({ at }) => at).filter((at) => at > now)].sort((a, b) => a - b);
            const free = moments.find((at) => heldAt(at) + units <= 4);
            expect(places.wait(units, now)).toBe(free === undefined ? Infinity : free - now);
            if (free === now) {
              places.start(units);
              running.push({ end: now + took, units });
            }
            freed = freed.filter(({ at }) => at > now - 1_000);
          }
        }),
      );
    },
  );

  it("foresee no start later than it can be", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 10 }), { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (ends, units) => {
        const places = new InFlight(4, 100);
        let now = 0;
        for (const pass of ends) {
          if (places.wait(1, now) === 0) {
            places.start(1);
            places.end(1, now + pass);
          }
          now += pass;
        }
        const foreseen = places.soonest(units + 8, now);
        // Two rounds of four, and then the units: each as soon as it can be, over at once.
        for (const cost of [4, 4]) {
          now += places.wait(cost, now);
          places.start(cost);
          places.end(cost, now);
        }
        const begin = now;
        expect(foreseen).toBeLessThanOrEqual(begin + places.wait(units, now));
      }),
    );
  });

  it("of tenants that have gone are forgotten, and those of others are not", () => {
    const places = new Places("api", "tenant", 1, 100, false);
    places.start("~=stays~-", 1);
    for (let i = 0; i < 1_000; i++) {
      places.start(`~=t${i}~-`, 1);
      places.end(`~=t${i}~-`, 1, i * 1_000);
    }
    expect(places.wait("~=stays~-", 1, 1e9)).toBe(Infinity);
    expect(places.isUsed(1e9)).toBe(true);
    places.end("~=stays~-", 1, 1e9);
    expect(places.isUsed(2e9)).toBe(false);
  });
});

describe("what was seen not long ago", () => {
  it("is known for thousands of others, and forgotten after more of them", () => {
    const recent = new Recent();
    for (let i = 0; i < 8_000; i++) recent.add(i);
    expect([recent.has(0), recent.has(7_999), recent.has(8_000)]).toEqual([true, true, false]);
    for (let i = 8_000; i < 30_000; i++) recent.add(i);
    expect([recent.has(0), recent.has(29_999), recent.has(29_999 - 8_000)]).toEqual([false, true, true]);
  });
});

describe("the time of a store, seen from here", () => {
  it("is never earlier than it is, and near to it after a quick answer", () => {
    const sample = fc.record({
      pass: fc.nat({ max: 1_000_000 }),
      there: fc.nat({ max: 5_000 }),
      back: fc.nat({ max: 5_000 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1e9, max: 1e12 }),
        fc.array(sample, { minLength: 1, maxLength: 50 }),
        (ahead, samples) => {
          const time = new StoreTime();
          let now = 1_000;
          let quickest = Infinity;
          for (const { pass, there, back } of samples.filter((_, i) => i < 40)) {
            now += pass;
            time.sample(now + there + ahead, now);
            quickest = Math.min(quickest, there);
            now += there + back;
            const seen = time.storeTime(now);
            expect(seen).toBeGreaterThanOrEqual(now + ahead);
            if (now < 60_000_000) expect(seen).toBe(now + ahead + quickest);
          }
        },
      ),
    );
  });

  it("follows a clock that was set, and clocks that drift apart", () => {
    const time = new StoreTime();
    expect([time.storeTime(5), time.age(5, 5)]).toEqual([0, Infinity]);
    time.sample(1_000_100, 0);
    time.sample(10_000_000, 100);
    expect(time.storeTime(100)).toBe(10_000_000);
    time.sample(10_000_950, 200);
    expect(time.storeTime(200)).toBe(10_000_100);
    time.sample(80_001_000, 70_000_000);
    expect(time.storeTime(70_000_000)).toBe(80_001_000);
  });
});
