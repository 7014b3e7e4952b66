import { describe, expect, it, vi } from "vitest";
import { errorOf, numbered, world } from "./world.ts";

const lost = () => Object.assign(new Error("lost"), { code: "ECONNRESET" });

describe("cancellation by AbortSignal", () => {
  it("before it began: nothing is called and nothing is charged", async () => {
    const { api, call, times } = world("1/s");
    const reason = new Error("not wanted");
    const error = await errorOf(api.run(() => 0, { signal: AbortSignal.abort(reason) }));
    expect(error).toMatchObject({ reason: "cancelled", cause: reason });
    void call("next");
    expect(times()).toEqual([0]);
  });

  it("while it waits: it leaves at once, is not charged, and the reason is passed on", async () => {
    const { clock, api, call, times } = world("1/s");
    const leaver = new AbortController();
    void call("a");
    const left = errorOf(api.run(() => 0, { signal: leaver.signal }));
    void call("b");
    await clock.advance(500);
    leaver.abort("bored");
    expect(await left).toMatchObject({
      name: "OutboundError",
      reason: "cancelled",
      cause: "bored",
      message: 'The call to "api" was cancelled while it waited.',
    });
    await clock.advance(1_000);
    expect(times()).toEqual([0, 1_000]);
  });

  it("while it runs: the signal of the attempt aborts with the same reason, and its charge stays", async () => {
    const { clock, api, call, later, times } = world("1/s");
    const leaver = new AbortController();
    const reason = new Error("not wanted");
    const made = errorOf(api.run(({ signal }) => later(5_000, 0, signal), { signal: leaver.signal, idempotent: true }));
    void call("next");
    await clock.advance(300);
    leaver.abort(reason);
    expect(await made).toBe(reason);
    expect(times()).toEqual([]);
    await clock.advance(700);
    expect(times()).toEqual([1_000]);
  });

  it("between two attempts: it is not made again", async () => {
    const { clock, api } = world({ retry: { baseMs: 10_000 }, limit: "100/s" });
    const leaver = new AbortController();
    const call = vi.fn(() => {
      throw lost();
    });
    const left = errorOf(api.run(call, { signal: leaver.signal, idempotent: true }));
    await clock.advance(0);
    leaver.abort();
    expect(await left).toMatchObject({ reason: "cancelled" });
    await clock.advance(60_000);
    expect(call).toHaveBeenCalledTimes(1);
    expect(clock.pending).toBe(0);
  });

  it("one signal for many calls: all leave, those that run are told, and one listener is enough", async () => {
    const { clock, call, ended, names } = world({ limit: "2/s", maxWaitMs: Infinity });
    const leaver = new AbortController();
    const listen = vi.spyOn(leaver.signal, "addEventListener");
    for (let i = 0; i < 2; i++) void call("runs", { signal: leaver.signal }, 10_000);
    const listeners = listen.mock.calls.length;
    for (let i = 0; i < 1_000; i++) void call("waits", { signal: leaver.signal });
    expect(listen.mock.calls.length).toBe(listeners + 1);
    void call("other");
    leaver.abort(new Error("gone"));
    await clock.advance(1_000);
    expect(ended.filter((one) => one === "waits cancelled 0")).toHaveLength(1_000);
    expect(ended.filter((one) => one === "runs gone 0")).toHaveLength(2);
    expect(names()).toBe("runs runs other");
  });

  it("a signal that outlives its calls keeps no listener of them", async () => {
    const { clock, api, call, later } = world({ limit: "5/s", timeoutMs: 60_000 });
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    for (let i = 0; i < 20; i++) void api.run((attempt) => later(10, 0, attempt.signal), { signal });
    void call("a", { signal, maxWaitMs: 100 });
    await clock.advance(10_000);
    expect(added).toHaveBeenCalled();
    const listeners = new Map<unknown, number>();
    for (const [, listener] of added.mock.calls) listeners.set(listener, 1);
    for (const [, listener] of removed.mock.calls) listeners.delete(listener);
    expect(listeners.size).toBe(0);
  });

  it("in any order: those that stay keep theirs, and start when the others are gone", async () => {
    const { clock, call, names, api } = world({ limit: "1/s", maxWaitMs: Infinity, maxQueue: Infinity });
    void call("first");
    const leavers = numbered(1_000, () => new AbortController());
    leavers.forEach(({ signal }, i) => void call(`${i}`, { signal }));
    const stay = new Set([3, 500, 998]);
    for (let i = 0; i < 1_000; i++) if (!stay.has((i * 7) % 1_000)) leavers[(i * 7) % 1_000]!.abort();
    expect(api.stats().waiting).toBe(3);
    await clock.advance(4_000);
    expect(names()).toBe("first 3 500 998");
  });

  it("the place of a large call that leaves goes to whoever fits in at once", async () => {
    const { clock, call, started } = world({ limit: "10/min", maxWaitMs: Infinity });
    const leaver = new AbortController();
    void call("first", { cost: 5 });
    void call("large", { cost: 10, signal: leaver.signal });
    void call("small", { cost: 5 });
    await clock.advance(100);
    leaver.abort();
    expect(started.at(-1)).toEqual({ name: "small", at: 100 });
  });

  it("those who leave together do not start in each other's places", async () => {
    const { clock, call, names } = world({ limit: "10/min", maxWaitMs: Infinity });
    const leaver = new AbortController();
    void call("first", { cost: 5 });
    for (const cost of [10, 6, 5]) void call("leaves", { cost, signal: leaver.signal });
    leaver.abort();
    await clock.advance(100_000);
    expect(names()).toBe("first");
  });

  it("fetch heeds the signal of its options, of its init and of its request, all of them", async () => {
    const { api } = world({
      fetch: (_input, init) =>
        new Promise((_resolve, reject) => init!.signal!.addEventListener("abort", () => reject(init!.signal!.reason))),
    });
    const request = (signal: AbortSignal) => new Request("http://x.example", { signal });
    const never = new AbortController().signal;
    for (const start of [
      (signal: AbortSignal) => api.fetch("http://x.example", {}, { signal }),
      (signal: AbortSignal) => api.fetch("http://x.example", { signal }),
      (signal: AbortSignal) => api.fetch(request(signal)),
      (signal: AbortSignal) => api.fetch("http://x.example", { signal }, { signal: never }),
      (signal: AbortSignal) => api.fetch("http://x.example", { signal: never }, { signal }),
      (signal: AbortSignal) => api.fetch(request(signal), {}, { signal: undefined }),
    ]) {
      const leaver = new AbortController();
      const left = errorOf(start(leaver.signal));
      leaver.abort("left");
      expect(await left).toBe("left");
    }
  });
});
