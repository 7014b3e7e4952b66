import { expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { scene } from "./scene.ts";

it("has no more calls at once than places, in all processes together, and gives places back", async () => {
  const { clock, calls, times, ended } = scene({ concurrency: 3 });
  calls(0, 6, {}, 100);
  calls(1, 6, {}, 100);
  await clock.advance(10_000);
  expect(times()).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200, 300, 300, 300]);
  expect(ended.length).toBe(12);
});

it("holds on places of calls that take longer than the life of a place", async () => {
  const { clock, processes, times } = scene({ concurrency: 1, maxWaitMs: Infinity });
  void processes[0]!.call("a", {}, 100_000);
  await clock.advance(1);
  void processes[1]!.call("b");
  await clock.advance(99_000);
  expect(times()).toEqual([0]);
  await clock.advance(2_000);
  expect(times()).toEqual([0, 100_000]);
});

it("gives places back when the answer to that was lost", async () => {
  const { clock, calls, processes, times } = scene({ concurrency: 1, maxWaitMs: Infinity });
  calls(0, 1, {}, 100);
  await clock.advance(50);
  calls(1, 1);
  await clock.advance(1);
  processes[0]!.link.health = "down";
  await clock.advance(1_000);
  processes[0]!.link.health = "up";
  await clock.advance(3_000);
  expect(times().length).toBe(2);
  expect(times()[1]).toBeLessThan(3_500);
});

it("gives back the place of a grant that nobody wants, when the answer to that was lost", async () => {
  const { clock, processes, started } = scene({ concurrency: 1, maxWaitMs: Infinity });
  const [a, b] = processes;
  void a!.call("a1", {}, 100);
  await clock.advance(1);
  const leaving = new AbortController();
  b!.link.delayMs = 5;
  void b!.call("b1", { signal: leaving.signal });
  await clock.advance(101);
  // The grant is on its way. Nobody hears that nobody wants it.
  leaving.abort();
  b!.link.health = "down";
  await clock.advance(500);
  b!.link.health = "up";
  await clock.advance(3_000);
  void b!.call("b2");
  await clock.advance(1_000);
  expect(started.map(({ name }) => name)).toEqual(["a1", "b2"]);
});

it("keeps the place of a call that runs on when its upstream is closed, until it has ended", async () => {
  const { clock, calls, processes, times } = scene({ concurrency: 1, maxWaitMs: Infinity });
  calls(0, 1, {}, 40_000);
  await clock.advance(10);
  calls(1, 1);
  await clock.advance(10);
  void processes[0]!.upstreams.close();
  await clock.advance(39_970);
  expect(times()).toEqual([0]);
  await clock.advance(20);
  expect(times()).toEqual([0, 40_000]);
});

it("counts a call from its end, whichever process made it", async () => {
  const { clock, calls, times } = scene({ limit: "2/s", anchor: "end" });
  calls(0, 2, {}, 300);
  await clock.advance(1);
  calls(1, 2);
  await clock.advance(5_000);
  expect(times()).toEqual([0, 0, 1_300, 1_300]);
});

it("keeps a limit at the server, however long calls are on their way", async () => {
  const { clock, processes, started } = scene({ limit: "5/s", anchor: "end", maxWaitMs: Infinity });
  const lasts: number[] = [];
  for (let n = 0; n < 40; n++) {
    lasts[n] = (n * 37) % 120;
    void processes[n % 2]!.call(`${n}`, {}, lasts[n]);
  }
  await clock.advance(20_000);
  const ends = started.map(({ name, at }) => at + lasts[Number(name)]!);
  expect(started.length).toBe(40);
  for (const arrivals of [ends, started.map(({ at }, i) => (i % 2 === 0 ? at : ends[i]!))]) {
    expect(worstWindow(arrivals, 1000)).toBeLessThanOrEqual(5);
  }
});
