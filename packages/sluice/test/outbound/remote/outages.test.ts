import { fallback, localShare, type Store } from "sluice";
import { describe, expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { response, scene } from "./scene.ts";

describe.each([
  ["with a queue", true],
  ["without one", false],
])("over a store %s that cannot be asked", (_name, hasQueue) => {
  const down = async (config: Parameters<typeof scene>[0], wrap?: (store: Store) => Store) => {
    const one = scene(config, { hasQueue, ...(wrap && { wrap }) });
    one.calls(0, 1);
    await one.clock.advance(2_000);
    for (const { link } of one.processes) link.health = "down";
    return one;
  };

  it("calls wait, are refused with the store as the reason at their deadline, and go on when it is back", async () => {
    const { clock, processes, ended, started, now } = await down("2/s");
    const begin = now();
    void processes[0]!.call("hasty", { maxWaitMs: 3_000 });
    void processes[0]!.call("patient", { maxWaitMs: 20_000 });
    await clock.advance(10_000);
    expect(ended.slice(1)).toEqual([`hasty store ${begin + 3_000}`]);
    processes[0]!.link.health = "up";
    await clock.advance(2_100);
    expect(started.at(-1)!.name).toBe("patient");
  });

  it("nothing keeps the process alive when nobody waits", async () => {
    const { clock, processes } = await down("2/s");
    const leaving = new AbortController();
    void processes[0]!.call("a", { signal: leaving.signal });
    await clock.advance(5_000);
    expect(clock.pending).toBeGreaterThan(0);
    leaving.abort();
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });

  it("a fallback that is open lets all start", async () => {
    const { clock, calls, times } = await down("2/s", (store) => fallback(store, "open"));
    calls(0, 20);
    await clock.advance(100);
    expect(times().length).toBe(21);
  });

  it("a fallback that is closed lets nobody start, and the store is the reason", async () => {
    const { clock, processes, calls, ended, times } = await down("2/s", (store) => fallback(store, "closed"));
    calls(0, 2, { maxWaitMs: 5_000 });
    await clock.advance(6_000);
    expect(ended.slice(1).map((line) => line.split(" ")[1])).toEqual(["store", "store"]);
    calls(1, 2);
    for (const { link } of processes) link.health = "up";
    await clock.advance(3_000);
    expect(times().length).toBe(3);
  });

  it("a fallback with shares lets each process start its share, and all together no more than the limit", async () => {
    const { clock, processes, calls, times } = await down({ limit: "10/s", maxWaitMs: Infinity }, (store) =>
      fallback(store, localShare(2)),
    );
    calls(0, 30);
    calls(1, 30);
    await clock.advance(2_900);
    expect(times().length).toBe(1 + 30);
    for (const { link } of processes) link.health = "up";
    await clock.advance(5_000);
    expect(times().length).toBe(61);
    expect(worstWindow(times(), 1000)).toBeLessThanOrEqual(10);
  });

  it("a pause is obeyed also without the store", async () => {
    const config = { limit: "10/s", retry: false } as const;
    const { clock, processes, calls, times } = await down(config, (store) => fallback(store, "open"));
    void processes[0]!.call("throttled", {}, 0, response(429, { "Retry-After": "5" }));
    await clock.advance(10);
    calls(0, 3);
    await clock.advance(4_900);
    expect(times().length).toBe(2);
    await clock.advance(200);
    expect(times().length).toBe(5);
  });
});

it("calls are nowhere twice when the answer to an exchange is lost", async () => {
  const { clock, calls, processes, times, model } = scene({ limit: "2/s", maxWaitMs: Infinity });
  calls(0, 4);
  await clock.advance(1);
  processes[1]!.link.health = "deaf";
  calls(1, 4);
  await clock.advance(3_000);
  processes[1]!.link.health = "up";
  await clock.advance(20_000);
  expect(times().length).toBe(8);
  expect(worstWindow(times(), 1000)).toBeLessThanOrEqual(2);
  expect(model.tickets()).toEqual([]);
});

it("calls stand in line again when the store has forgotten everything", async () => {
  const { clock, calls, times, model } = scene({ limit: "2/s", maxWaitMs: Infinity });
  calls(0, 10);
  calls(1, 10);
  await clock.advance(2_100);
  model.loseAll();
  await clock.advance(30_000);
  expect(times().length).toBe(20);
  // What was forgotten may start once more.
  expect(worstWindow(times(), 1000)).toBeLessThanOrEqual(4);
});
