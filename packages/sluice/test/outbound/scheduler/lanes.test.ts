import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Lanes } from "../../../src/outbound/scheduler/lanes.ts";
import { TestCall } from "./calls.ts";

const priorities = ["high", "normal", "low"] as const;

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      lane: fc.nat({ max: 3 }),
      cost: fc.nat({ max: 3 }),
      priority: fc.constantFrom(...priorities),
    }),
  },
  { weight: 1, arbitrary: fc.record({ leave: fc.nat() }) },
  { weight: 3, arbitrary: fc.constant("serve" as const) },
  { weight: 1, arbitrary: fc.record({ aside: fc.nat({ max: 20_000_000 }) }) },
  { weight: 1, arbitrary: fc.constant("back" as const) },
);

describe("lanes", () => {
  it("each gives its calls in their order, none is lost, none comes twice, and none that stands aside comes early", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const lanes = new Lanes();
        let waiting: TestCall[] = [];
        const aside = new Map<string, { until: number; isTouched: boolean }>();
        const touch = (lane: string) => {
          const stands = aside.get(lane);
          if (stands !== undefined) stands.isTouched = true;
        };
        let now = 0;
        for (const one of steps) {
          now += 700_000;
          if (one === "back") {
            lanes.bringBack();
            aside.clear();
          } else if (typeof one === "object" && "lane" in one) {
            const call = new TestCall({ ...one, lane: `~${one.lane}~-`, arrivedAt: now });
            lanes.add(call);
            waiting.push(call);
            touch(call.lane);
          } else if (typeof one === "object" && "leave" in one) {
            const call = waiting[one.leave % Math.max(1, waiting.length)];
            if (call !== undefined) lanes.remove(call);
            waiting = waiting.filter((other) => other !== call);
            if (call !== undefined) touch(call.lane);
          } else {
            const first = lanes.first(now) as TestCall | undefined;
            if (first === undefined) {
              for (const { lane } of waiting) expect(aside.get(lane)!.until).toBeGreaterThan(now);
              continue;
            }
            const rivals = waiting.filter(({ lane }) => lane === first.lane);
            expect(first.order).toBe(Math.min(...rivals.map(({ order }) => order)));
            const stood = aside.get(first.lane);
            // Who stood aside is back when it is time, or when somebody may be first who needs less.
            if (stood !== undefined && !stood.isTouched) expect(stood.until).toBeLessThanOrEqual(now);
            if (one === "serve") {
              lanes.serve(first);
              waiting = waiting.filter((other) => other !== first);
              aside.delete(first.lane);
            } else {
              lanes.putAside(now + one.aside);
              aside.set(first.lane, { until: now + one.aside, isTouched: false });
            }
          }
          expect(lanes.size).toBe(waiting.length);
          expect(new Set(lanes)).toEqual(new Set(waiting));
        }
      }),
    );
  });

  it("that always wait are served alike, in units, whatever their calls cost", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 60, maxLength: 60 }), {
          minLength: 2,
          maxLength: 4,
        }),
        (costs) => {
          const lanes = new Lanes();
          costs.forEach((list, lane) => {
            for (const [i, cost] of list.entries()) lanes.add(new TestCall({ lane: `~${lane}~-`, cost, arrivedAt: i }));
          });
          const served = new Map<string, number>();
          for (let i = 0; i < 40; i++) {
            const call = lanes.first(0)!;
            lanes.serve(call);
            served.set(call.lane, (served.get(call.lane) ?? 0) + call.cost);
            if (i < costs.length) continue;
            const shares = costs.map((_, lane) => served.get(`~${lane}~-`) ?? 0);
            expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(10);
          }
        },
      ),
    );
  });

  it("count before a call no more than stand there, and exactly those of its urgency for one that has just come", () => {
    const calls = fc.array(
      fc.record({
        cost: fc.nat({ max: 3 }),
        priority: fc.constantFrom(...priorities),
        stays: fc.boolean(),
        again: fc.boolean(),
      }),
      { maxLength: 150 },
    );
    fc.assert(
      fc.property(calls, fc.constantFrom(...priorities), fc.boolean(), (all, priority, isAgain) => {
        const lanes = new Lanes();
        all.forEach((one, i) => {
          const call = new TestCall({ ...one, arrivedAt: i * 1_000_000 });
          call.isAgain = one.again;
          lanes.add(call);
          if (!one.stays) lanes.remove(call);
        });
        const call = new TestCall({ priority, arrivedAt: isAgain ? 20_000_000 : all.length * 1_000_000 });
        call.isAgain = isAgain;
        const { calls: count, cost } = lanes.before(call, true);
        const before = [...lanes].filter(({ order }) => order <= call.order);
        expect(count).toBeLessThanOrEqual(before.length);
        expect(cost).toBeLessThanOrEqual(before.reduce((sum, one) => sum + one.cost, 0));
        if (!isAgain)
          expect(count).toBeGreaterThanOrEqual(before.filter((one) => one.rank === call.rank && !one.isAgain).length);
        lanes.add(call);
        if (!isAgain) expect(lanes.before(call, true)).toEqual({ calls: count, cost });
      }),
    );
  });

  it("that one call after the other goes through leave nothing behind", () => {
    const lanes = new Lanes();
    for (let i = 0; i < 3_000; i++) {
      const call = new TestCall({ lane: `~t${i % 3 === 0 ? i : 0}~-` });
      lanes.add(call);
      lanes.serve(lanes.first(0)!);
    }
    expect(lanes.remembered).toBeLessThan(10);
  });
});
