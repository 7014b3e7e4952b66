import { describe, expect, it } from "vitest";
import { worstWindow } from "../oracle/windows.ts";
import { errorOf, world } from "./world.ts";

describe('anchor "end": a call counts until one period after its end', () => {
  it("what is on its way counts, and what has ended counts for a period from then on", async () => {
    const { clock, call, times } = world({ limit: "2/s", anchor: "end" });
    void call("a", {}, 300);
    void call("b", {}, 700);
    for (let i = 0; i < 3; i++) void call(`${i}`);
    await clock.advance(10_000);
    expect(times()).toEqual([0, 0, 1_300, 1_700, 2_300]);
  });

  it("wherever in its time a call arrives, the server sees no more than the limit in any window", async () => {
    const { clock, api, now, later } = world({ limit: "5/s", anchor: "end", retry: false });
    const arrivals: number[] = [];
    const delays = [0, 900, 20, 500, 3, 300, 999, 120];
    for (let i = 0; i < 40; i++) {
      void api.run(async () => {
        await later(delays[i % 8]!, 0);
        arrivals.push(now());
        await later(delays[(i * 3) % 8]!, 0);
      });
    }
    await clock.advance(60_000);
    expect(arrivals).toHaveLength(40);
    expect(worstWindow(arrivals, 1_000)).toBe(5);
  });

  it("it does not let more in when a call failed or was cancelled: it may have arrived all the same", async () => {
    const { clock, call, times, api } = world({ limit: "1/s", anchor: "end", retry: false });
    const leaver = new AbortController();
    void call("a", { signal: leaver.signal }, 5_000);
    void call("b");
    await clock.advance(400);
    leaver.abort();
    await clock.advance(900);
    expect(times()).toEqual([0]);
    await clock.advance(100);
    expect(times()).toEqual([0, 1_400]);
    expect(api.stats().waiting).toBe(0);
  });

  it("large limits keep a window that is longer by timeoutMs: a call that takes the whole time counts as long as it must", async () => {
    const { clock, call, times } = world({ limit: "1500/s", anchor: "end", timeoutMs: 500, retry: false });
    void call("a", { cost: 1_500 }, 400);
    void call("b", { cost: 1_500 });
    await clock.advance(1_499);
    expect(times()).toEqual([0]);
    await clock.advance(20);
    expect(times()).toHaveLength(2);
    expect(times()[1]).toBeGreaterThanOrEqual(1_500);
  });

  it("a large limit without timeoutMs is refused: nobody knows how long a call may take", () => {
    expect(() => world({ limit: "1500/s", anchor: "end" })).toThrow(/"api" needs a timeoutMs/);
    expect(() => world({ limit: "1/2h", anchor: "end" })).toThrow(/"api" needs a timeoutMs/);
    expect(() => world({ limit: "1000/50min", anchor: "end" })).not.toThrow();
  });

  it("it is for windows: a bucket or a calendar with an anchor of its own is refused, and with that of the upstream keeps its start", () => {
    const end = (rate: string) => () => world({ limit: { rate, anchor: "end" } });
    expect(end("10/s burst 20")).toThrow(
      'The limit "10 per second in bursts of up to 20" of "api" cannot have anchor "end"',
    );
    expect(end("10/day UTC")).toThrow(/cannot have anchor "end": only windows such as "10\/min" can/);
    expect(() => world({ limit: ["10/s", "10/day UTC"], anchor: "end" })).not.toThrow();
  });

  it("each limit may have its own anchor", async () => {
    const { clock, call, times } = world({ limit: [{ rate: "1/s", anchor: "end" }, "2/10s"] });
    void call("a", {}, 500);
    for (let i = 0; i < 2; i++) void call(`${i}`);
    await clock.advance(12_000);
    expect(times()).toEqual([0, 1_500, 10_000]);
  });

  it("a deadline that cannot be met is known at admission", async () => {
    const { clock, call, api } = world({ limit: "2/10s", anchor: "end" });
    void call("a", {}, 1_000);
    void call("b", {}, 2_000);
    await clock.advance(3_000);
    void call("first");
    void call("second");
    void call("third");
    // It starts when a unit is back that is used at 11 s at the soonest, and comes back 10 s after that call has ended.
    const error = await errorOf(api.run(() => 0, { maxWaitMs: 18_999 }));
    expect(error).toMatchObject({ reason: "deadline", position: 3, retryAfterMs: 1 });
  });

  it("a correction of the cost counts for the whole time that the call counts", async () => {
    const { clock, api, call, later, times } = world({ limit: "4/s", anchor: "end" });
    void api.run(
      async ({ report }) => {
        await later(100, 0);
        report({ cost: 1 });
        await later(100, 0);
      },
      { cost: 4 },
    );
    void call("others", { cost: 3 });
    await clock.advance(150);
    expect(times()).toEqual([100]);
    await api.run(({ report }) => report({ cost: 3 }), { cost: 0 });
    void call("later", { cost: 3 });
    await clock.advance(2_000);
    expect(times()).toEqual([100, 1_150]);
  });
});
