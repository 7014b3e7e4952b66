import { manualClock } from "sluice/testing";
import { expect, it } from "vitest";
import { wakeCall } from "../../../src/outbound/scheduler/wake-call.ts";

it("stays with what was said last, also when a reply from before comes after it", async () => {
  const clock = manualClock();
  const rung: number[] = [];
  const begin = clock.elapsed();
  const wakeUp = wakeCall(clock, () => rung.push((clock.elapsed() - begin) / 1000));
  wakeUp.told(2_000_000, 500_000);
  wakeUp.told(1_999_000, 15_000_000);
  wakeUp.told(1_999_000, undefined);
  await clock.advance(1_000);
  expect(rung).toEqual([500]);
  wakeUp.told(3_000_000, 500_000);
  wakeUp.told(3_000_001, undefined);
  await clock.advance(20_000);
  expect(rung).toEqual([500]);
});

it("believes a clock that was set back", async () => {
  const clock = manualClock();
  let rung = 0;
  const wakeUp = wakeCall(clock, () => rung++);
  wakeUp.told(90_000_000, 1_000_000);
  wakeUp.told(10_000_000, 2_000_000);
  await clock.advance(1_500);
  expect(rung).toBe(0);
  await clock.advance(1_000);
  expect(rung).toBe(1);
});
