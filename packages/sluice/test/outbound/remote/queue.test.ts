import { expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { response, scene } from "./scene.ts";

const PATIENT = { maxWaitMs: Infinity };

it("serves the calls of two processes in one order", async () => {
  const { clock, processes, names, times } = scene("2/s");
  const [a, b] = processes;
  for (const [process, name] of [
    [a, "a1"],
    [b, "b1"],
    [b, "b2"],
    [a, "a2"],
    [b, "b3"],
    [a, "a3"],
  ] as const) {
    void process!.call(name);
    await clock.advance(1);
  }
  await clock.advance(3_000);
  expect(names()).toBe("a1 b1 b2 a2 b3 a3");
  expect(worstWindow(times(), 1000)).toBe(2);
});

it("puts a call first that is urgent, whichever process has it", async () => {
  const { clock, calls, processes, names } = scene("1/s");
  calls(0, 4);
  await clock.advance(10);
  void processes[1]!.call("urgent", { priority: "high" });
  await clock.advance(5_000);
  expect(names()).toBe("a1 urgent a2 a3 a4");
});

it("does not refuse an urgent call because of those that wait already: it goes before them", async () => {
  const { clock, calls, processes, names } = scene("1/s");
  calls(0, 30, { maxWaitMs: Infinity, priority: "low" });
  await clock.advance(100);
  void processes[1]!.call("b", { maxWaitMs: Infinity });
  await clock.advance(100);
  void processes[1]!.call("urgent", { priority: "high", maxWaitMs: 3_000 });
  await clock.advance(4_000);
  expect(names()).toContain("urgent");
});

it("asks once for calls that come together, and then when the next can start", async () => {
  const { clock, calls, model, times } = scene("10/s", { processes: 1 });
  calls(0, 50);
  await clock.advance(10_000);
  expect(times().length).toBe(50);
  expect(model.counts.exchanges).toBeLessThanOrEqual(7);
  expect(model.counts.takes).toBe(0);
});

it("returns a grant that comes too late, and asks again", async () => {
  const { clock, calls, processes, started, times } = scene("1/s");
  calls(0, 3, PATIENT);
  await clock.advance(10);
  calls(1, 3, PATIENT);
  await clock.advance(10);
  processes[1]!.link.delayMs = 30;
  await clock.advance(2_500);
  expect(started.filter(({ name }) => name.startsWith("b"))).toEqual([]);
  processes[1]!.link.delayMs = 1;
  await clock.advance(30_000);
  expect(times().length).toBe(6);
  expect(worstWindow(times(), 1000)).toBe(1);
});

it("starts no call over a store that answers later than the grace, unless the grace is longer", async () => {
  const starts = async (graceMs: number | undefined) => {
    const { clock, calls, processes, times } = scene({ limit: "2/s", ...(graceMs !== undefined && { graceMs }) });
    for (const { link } of processes) link.delayMs = 40;
    calls(0, 6, PATIENT);
    calls(1, 6, PATIENT);
    await clock.advance(10_000);
    return times();
  };
  expect((await starts(undefined)).length).toBe(0);
  const all = await starts(100);
  expect(all.length).toBe(12);
  expect(worstWindow(all, 1000)).toBe(2);
});

it("judges each grant at the moment of its start, not when the grants came", async () => {
  const { clock, processes, model } = scene("2/s");
  const busy = () => clock.advanceSync(50);
  const starts: number[] = [];
  const call = (work: () => void) =>
    processes[0]!.api.run(() => {
      starts.push(clock.elapsed());
      work();
    });
  void call(busy);
  void call(() => {});
  await clock.advance(1);
  expect(starts.length).toBe(2);
  // The second one was granted too, but the first one took too long for it to start still: it was granted anew.
  expect(model.counts.exchanges).toBe(2);
});

it("starts a call once when its grant is told twice, and none twice", async () => {
  const { clock, calls, processes, times } = scene("2/s");
  for (const { link } of processes) link.news = "twice";
  calls(0, 6);
  calls(1, 6);
  await clock.advance(8_000);
  expect(times().length).toBe(12);
  expect(worstWindow(times(), 1000)).toBe(2);
});

it("finds a lost grant at the heartbeat, also while there is much to say", async () => {
  const { clock, processes, times, started } = scene({ limit: "2/s", maxWaitMs: 60_000 });
  const [a, b] = processes;
  b!.link.news = "lost";
  for (let n = 1; n <= 6; n++) void a!.call(`a${n}`);
  await clock.advance(1);
  for (let n = 1; n <= 3; n++) void b!.call(`b${n}`);
  for (let n = 0; n < 200; n++) {
    // Somebody comes and leaves, so that it asks all the time.
    const leaving = new AbortController();
    void b!.call("nobody", { signal: leaving.signal, priority: "low" });
    await clock.advance(50);
    leaving.abort();
    await clock.advance(50);
  }
  expect(started.filter(({ name }) => name.startsWith("b")).map(({ name }) => name)).toEqual(["b1", "b2", "b3"]);
  expect(worstWindow(times(), 1000)).toBe(2);
});

it("gives back what is granted to a call that has left", async () => {
  const { clock, calls, processes, times } = scene("2/s");
  calls(0, 2);
  await clock.advance(1);
  const leaving = new AbortController();
  processes[1]!.link.delayMs = 5;
  for (let n = 0; n < 2; n++) void processes[1]!.call(`b${n}`, { signal: leaving.signal });
  await clock.advance(1_022);
  calls(0, 2);
  leaving.abort();
  await clock.advance(100);
  // Both were granted to b, and a has them nevertheless.
  expect(times().length).toBe(4);
  expect(worstWindow(times(), 1000)).toBe(2);
});

it("obeys a pause in all processes, calls in line and calls to come", async () => {
  const { clock, processes, calls, times } = scene({ limit: "10/s", retry: false });
  void processes[0]!.call("throttled", {}, 0, response(429, { "Retry-After": "5" }));
  await clock.advance(10);
  calls(1, 12);
  await clock.advance(4_980);
  expect(times()).toEqual([0]);
  await clock.advance(1_100);
  expect(times().length).toBe(13);
});

it("refuses at once who cannot wait for the end of a pause", async () => {
  const { clock, processes, ended } = scene({ limit: "1/s", retry: false });
  void processes[0]!.call("throttled", {}, 100, response(429, { "Retry-After": "30" }));
  for (let n = 1; n <= 2; n++) void processes[0]!.call(`a${n}`, { maxWaitMs: 10_000 });
  await clock.advance(200);
  expect(ended.sort()).toEqual(["a1 deadline 100", "a2 deadline 100", "throttled 100"]);
});

it("slows all processes down when the upstream refuses without a time", async () => {
  const { clock, processes, calls, times } = scene({ limit: "10/s", retry: false });
  void processes[0]!.call("throttled", {}, 10, response(429));
  await clock.advance(50);
  calls(1, 10);
  await clock.advance(700);
  const all = times().slice(1);
  expect(all.length).toBeGreaterThan(2);
  for (const [i, at] of all.slice(1).entries()) expect(at - all[i]!).toBeGreaterThanOrEqual(142);
  expect(processes[1]!.api.stats().rate).toBe(0.7);
});

it("tells others that the breaker is open, and that it is closed again", async () => {
  const { clock, processes } = scene({ retry: false, breaker: { minimumCalls: 4, openMs: 2_000 } });
  const [a, b] = processes;
  void b!.call("b0");
  await clock.advance(10);
  for (let n = 0; n < 8; n++) void a!.call(`a${n}`, {}, 0, response(500));
  await clock.advance(100);
  expect(a!.api.stats().breaker?.state).toBe("open");
  expect(b!.api.stats().breaker?.state).toBe("open");
  await clock.advance(10_000);
  for (let n = 0; n < 20; n++) {
    void a!.call(`a${n}`);
    await clock.advance(10);
  }
  expect(a!.api.stats().breaker?.state).toBe("closed");
  // Who was silent for long is not told; he hears it when he asks.
  void b!.call("b1");
  await clock.advance(10);
  expect(b!.api.stats().breaker?.state).toBe("closed");
});

it("heeds what other programs use, without taking calls for theirs that overtook each other", async () => {
  const { clock, processes, times } = scene({ limit: "100/s", retry: false });
  const said = (left: number) => response(200, { "RateLimit-Policy": '"q";q=100;w=1', RateLimit: `"q";r=${left};t=1` });
  const [a, b] = processes;
  // The first call arrives last: fifty others were granted after it.
  for (let n = 0; n < 50; n++) void a!.call(`a${n}`, {}, n === 0 ? 20 : 5, said(n === 0 ? 50 : 51));
  await clock.advance(50);
  const elsewhere = (of: typeof a) => of!.events.filter(({ type }) => type === "used-elsewhere");
  expect(elsewhere(a)).toEqual([]);
  await clock.advance(3_000);
  void a!.call("a", {}, 0, said(29));
  await clock.advance(1);
  expect(elsewhere(a)).toMatchObject([{ units: 60 }]);
  for (let n = 0; n < 100; n++) void b!.call(`b${n}`);
  await clock.advance(100);
  expect(times().length).toBe(51 + 39);
});

it("leaves the line when it is closed, and gives back what is granted on the way", async () => {
  const { clock, calls, processes, model, names } = scene("1/s");
  calls(0, 1);
  await clock.advance(1);
  calls(1, 3);
  await clock.advance(1);
  expect(model.tickets().length).toBe(3);
  processes[1]!.link.delayMs = 5;
  await clock.advance(1_012);
  const closing = processes[1]!.upstreams.close();
  await clock.advance(30);
  await closing;
  expect(model.tickets()).toEqual([]);
  expect(clock.pending).toBe(0);
  void processes[0]!.call("a2");
  await clock.advance(1);
  expect(names()).toBe("a1 a2");
});
