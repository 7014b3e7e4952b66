import { leased } from "sluice";
import { expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { response, scene } from "./scene.ts";

const WITHOUT = { hasQueue: false };

it("is exact over a store without a queue, and does not poll", async () => {
  const { clock, calls, model, times } = scene("5/s", WITHOUT);
  calls(0, 25);
  calls(1, 25);
  await clock.advance(12_000);
  expect(times().length).toBe(50);
  expect(worstWindow(times(), 1000)).toBe(5);
  // A take for each call, and for each process and period one that is refused.
  expect(model.counts.takes).toBeLessThanOrEqual(50 + 2 * 10);
});

it("does not ask before a limit of a day allows it", async () => {
  const { clock, calls, model, times } = scene({ limit: "3/d", maxWaitMs: Infinity }, WITHOUT);
  calls(0, 5);
  await clock.advance(86_000_000);
  expect(times().length).toBe(3);
  expect(model.counts.takes).toBe(4);
  await clock.advance(1_000_000);
  expect(times().length).toBe(5);
});

it("returns units that come too late", async () => {
  const { clock, calls, processes, times } = scene("1/s", WITHOUT);
  processes[1]!.link.delayMs = 30;
  calls(1, 1, { maxWaitMs: Infinity });
  await clock.advance(100);
  processes[1]!.link.delayMs = 1;
  calls(0, 1);
  await clock.advance(5_000);
  expect(times().length).toBe(2);
  expect(worstWindow(times(), 1000)).toBe(1);
});

it("finds places free again that another process had, and looks for them less and less often", async () => {
  const { clock, processes, model, times } = scene({ concurrency: 1, maxWaitMs: Infinity }, WITHOUT);
  void processes[0]!.call("a", {}, 60_000);
  await clock.advance(10);
  void processes[1]!.call("b");
  await clock.advance(59_000);
  expect(times()).toEqual([0]);
  await clock.advance(3_000);
  expect(times().length).toBe(2);
  expect(model.counts.takes).toBeLessThan(90);
});

it("lets a lane wait for its own limit, and nobody else", async () => {
  const limit = [{ rate: "1/h", per: "tenant" }, "2/s"] as const;
  const { clock, processes, names } = scene({ limit, maxWaitMs: Infinity }, WITHOUT);
  const call = (name: string, tenant: string) => void processes[0]!.call(name, { tenant });
  call("x1", "x");
  call("x2", "x");
  call("y1", "y");
  call("z1", "z");
  await clock.advance(5_000);
  expect(names()).toBe("x1 y1 z1");
});

it("keeps to a pause and to a slower pace when places become free", async () => {
  const config = { limit: "10/s", concurrency: 4, retry: false } as const;
  const { clock, processes, calls, times } = scene(config, WITHOUT);
  calls(0, 3, {}, 50);
  void processes[0]!.call("throttled", {}, 20, response(429));
  calls(0, 4, {}, 50);
  await clock.advance(600);
  const slow = times().slice(4);
  expect(slow.length).toBeGreaterThan(2);
  for (const [i, at] of slow.slice(1).entries()) expect(at - slow[i]!).toBeGreaterThanOrEqual(142);
  const paused = scene(config, WITHOUT);
  paused.calls(0, 3, {}, 50);
  void paused.processes[0]!.call("throttled", {}, 20, response(429, { "Retry-After": "9" }));
  paused.calls(0, 4);
  await paused.clock.advance(8_900);
  expect(paused.times()).toEqual([0, 0, 0, 0]);
});

it("works through leases", async () => {
  const { clock, calls, times, ended } = scene("1000/s", { wrap: (store) => leased(store) });
  calls(0, 1_500);
  calls(1, 1_500);
  await clock.advance(10_000);
  expect(times().length).toBe(3_000);
  expect(ended.length).toBe(3_000);
  expect(worstWindow(times(), 1000)).toBeLessThanOrEqual(1_000);
});
