import { manualClock } from "sluice/testing";
import { expect, it } from "vitest";

it("fires timers in order, each at its own time, and those that they start", async () => {
  const clock = manualClock();
  const start = clock.elapsed();
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name} ${(clock.elapsed() - start) / 1000}`);
  clock.after(20, note("second"));
  clock.after(10, () => {
    note("first")();
    clock.after(5, note("started"));
  });
  const cancel = clock.after(15, note("cancelled"));
  cancel();
  await clock.advance(19.999);
  expect(fired).toEqual(["first 10", "started 15"]);
  expect(clock.pending).toBe(1);
  clock.advanceSync(0.001);
  expect(fired).toEqual(["first 10", "started 15", "second 20"]);
  expect(clock.pending).toBe(0);
});

it("lets what was promised happen before the next timer fires", async () => {
  const clock = manualClock();
  const order: string[] = [];
  clock.after(1, () => void Promise.resolve().then(() => order.push("promised")));
  clock.after(1, () => order.push("next"));
  await clock.advance(1);
  expect(order).toEqual(["promised", "next"]);
});

it("sets the wall and leaves elapsed time alone", () => {
  const clock = manualClock({ wall: new Date("2026-03-01T00:00:00Z") });
  const elapsed = clock.elapsed();
  expect(clock.wall()).toBe(Date.UTC(2026, 2, 1) * 1000);
  clock.stepWall(-86_400_000);
  clock.advanceSync(1);
  expect(clock.elapsed()).toBe(elapsed + 1_000);
  expect(clock.wall()).toBe(Date.UTC(2026, 1, 28) * 1000 + 1_000);
});
