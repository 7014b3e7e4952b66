import { type Clock, memoryStore } from "sluice";
import { createUpstreams, type OutboundError } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { expect, it } from "vitest";

/** A clock of a process that stands still for a while, right after the clock was read for the so-many-th time from now. */
function stoppable() {
  const manual = manualClock();
  let readings = Infinity;
  const clock: Clock = {
    ...manual,
    elapsed() {
      const now = manual.elapsed();
      readings--;
      if (readings === 0) manual.advanceSync(5);
      return now;
    },
  };
  return { manual, clock, stopAfter: (count: number) => (readings = count) };
}

/** How long after the start of one call another may start, in milliseconds, where the process stood still after so many readings. */
async function gapOf(limit: string | string[], readings: number): Promise<number> {
  const { manual, clock, stopAfter } = stoppable();
  const { api } = createUpstreams({ api: limit }, { store: memoryStore({ clock }) });
  const before = manual.elapsed();
  stopAfter(readings);
  await api.run(() => {
    expect(manual.elapsed() - before).toBe(5_000);
  });
  const refused = await api.run(() => {}, { maxWaitMs: 0 }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ reason: "deadline" });
  return (refused as OutboundError).retryAfterMs!;
}

it("counts units from the start of a call, where the process stood still after they were taken", async () => {
  // It is read once to take units.
  expect(await gapOf("1/100ms", 1)).toBe(100);
});

it("does so for several limits together", async () => {
  // The store reads it itself then.
  expect(await gapOf(["1/100ms", "5/s"], 2)).toBe(100);
});

it("does so for calls that waited", async () => {
  const { manual, clock, stopAfter } = stoppable();
  const { api } = createUpstreams({ api: "1/100ms" }, { store: memoryStore({ clock }) });
  const starts: number[] = [];
  const call = () => {
    starts.push(manual.elapsed() / 1000);
  };
  const all = [api.run(call), api.run(call), api.run(call)];
  manual.advanceSync(99);
  // It is read when the alarm rings, to look who is next, and to take his units.
  stopAfter(3);
  await manual.advance(1);
  await manual.advance(250);
  await Promise.all(all);
  expect(starts[1]! - starts[0]!).toBe(105);
  expect(starts[2]! - starts[1]!).toBe(100);
});
