import { type Clock, memoryStore, type SyncStore, systemClock } from "sluice";
import { createUpstreams } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { expect, it } from "vitest";
import { startable } from "../../../src/outbound/scheduler/startable.ts";

/** The windows that an upstream keeps in memory, in microseconds. */
async function periodsOf(clock: Clock, limit: string): Promise<unknown[]> {
  const store = memoryStore({ clock });
  const periods: unknown[] = [];
  const spied: SyncStore = {
    ...store,
    line(ledger) {
      periods.push(ledger.algorithm.params[1]);
      return store.line(ledger);
    },
  };
  const upstreams = createUpstreams({ api: limit }, { store: spied });
  await upstreams.close();
  return periods;
}

it("keeps windows a little longer in real time, where a start comes after its units were taken", async () => {
  expect(await periodsOf(systemClock, "100/s")).toEqual([1_002_000]);
  expect(await periodsOf(systemClock, "10/100ms")).toEqual([100_200]);
  expect(await periodsOf(systemClock, "10/min")).toEqual([60_002_000]);
});

it("keeps them exactly in the time of a test, in which nothing comes between", async () => {
  expect(await periodsOf(manualClock(), "100/s")).toEqual([1_000_000]);
});

it("leaves room between the look at a grant and the start, and never all of it", () => {
  expect([startable(20_000), startable(250_000), startable(2_000), startable(0)]).toEqual([15_000, 245_000, 1_500, 0]);
});
