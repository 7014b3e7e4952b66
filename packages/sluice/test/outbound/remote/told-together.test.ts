import { expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { scene } from "./scene.ts";

it("says of calls together that come one by one while none can start, and they stand where they came", async () => {
  const { clock, calls, processes, model, started, times } = scene({ limit: "10/s", maxWaitMs: Infinity });
  calls(0, 10);
  await clock.advance(1);
  const came: string[] = [];
  for (let n = 0; n < 40; n++) {
    const who = n % 3 === 0 ? 0 : 1;
    came.push(`${"ab"[who]}-${n}`);
    void processes[who]!.call(came[n]!);
    await clock.advance(2);
  }
  // One each when the first comes, and one each 20 ms.
  expect(model.counts.exchanges).toBeLessThanOrEqual(1 + 2 * 5);
  await clock.advance(10_000);
  // Those that are granted together start together.
  const at = new Map(started.map(({ name, at }) => [name, at]));
  const starts = came.map((name) => at.get(name)!);
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
  expect(worstWindow(times(), 1000)).toBe(10);
});

it("asks at once for a call that may start: of another tenant, or when the time has nearly come", async () => {
  const { clock, processes, started } = scene({ limit: [{ rate: "1/s", per: "tenant" }], maxWaitMs: Infinity });
  const [a, b] = processes;
  for (const name of ["b1", "b2"]) void b!.call(name, { tenant: "x" });
  await clock.advance(100);
  void a!.call("a1", { tenant: "x" });
  await clock.advance(1);
  void a!.call("a2", { tenant: "y" });
  await clock.advance(1);
  expect(started.at(-1)).toEqual({ name: "a2", at: 101 });
  await clock.advance(905);
  void a!.call("urgent", { tenant: "x", priority: "high" });
  await clock.advance(20);
  expect(started.at(-1)?.name).toBe("urgent");
});

it("asks at once for a call that waits for a place: one may come back at any time", async () => {
  const { clock, processes, names } = scene({ concurrency: 1 });
  const [a, b] = processes;
  void b!.call("b1", {}, 100);
  await clock.advance(10);
  void a!.call("a1");
  await clock.advance(85);
  void a!.call("urgent", { priority: "high" });
  await clock.advance(50);
  expect(names()).toBe("b1 urgent a1");
});

it("says nothing of a call that left before it was said that it came", async () => {
  const { clock, calls, processes, model } = scene("1/s");
  calls(0, 3);
  await clock.advance(50);
  const { exchanges } = model.counts;
  const leaving = new AbortController();
  void processes[0]!.call("gone", { signal: leaving.signal });
  await clock.advance(5);
  leaving.abort();
  await clock.advance(500);
  expect(model.counts.exchanges).toBe(exchanges);
});

it("says that it is there with what it asks anyway, and not once more for that", async () => {
  const { clock, calls, model, times } = scene("1/1500ms", { processes: 1 });
  calls(0, 6, { maxWaitMs: Infinity });
  await clock.advance(9_000);
  expect(times().length).toBe(6);
  expect(model.counts.exchanges).toBe(6);
});
