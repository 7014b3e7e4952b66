import { describe, expect, it, vi } from "vitest";
import { errorOf, world } from "./world.ts";

const lost = () => Promise.reject(Object.assign(new Error("lost"), { code: "ECONNRESET" }));
const again = { idempotent: true };
const quick = { baseMs: 0 };

describe("retry", () => {
  it("what failed and may be repeated is made again, and the value of the last attempt comes back", async () => {
    const { clock, api } = world({ retry: quick });
    const attempts: number[] = [];
    const made = api.run(({ attempt }) => {
      attempts.push(attempt);
      return attempt < 3 ? lost() : "made";
    }, again);
    await clock.advance(0);
    expect(await made).toBe("made");
    expect(attempts).toEqual([1, 2, 3]);
    expect(api.stats()).toMatchObject({ started: 3, retried: 2 });
  });

  it("the last outcome comes back when there are no attempts left: an error as it is, a response as it is", async () => {
    const { clock, api } = world({ retry: quick });
    const errors: unknown[] = [];
    const failed = errorOf(
      api.run(() => {
        errors.push(new TypeError("fetch failed", { cause: { code: "ECONNRESET" } }));
        return Promise.reject(errors.at(-1));
      }, again),
    );
    const responses: Response[] = [];
    const answered = api.run(() => {
      responses.push(new Response(`${responses.length}`, { status: 502 }));
      return responses.at(-1)!;
    }, again);
    await clock.advance(0);
    expect([await failed, errors.length]).toEqual([errors[2], 3]);
    expect(await answered).toBe(responses[2]);
    expect(await responses[2]!.text()).toBe("2");
  });

  it("every attempt is a new start under all limits", async () => {
    const { clock, api, now } = world({
      limit: ["2/s", "3/min"],
      concurrency: 1,
      retry: { ...quick, attempts: 5 },
      maxWaitMs: Infinity,
    });
    const times: number[] = [];
    void errorOf(
      api.run(() => {
        times.push(now());
        return lost();
      }, again),
    );
    await clock.advance(200_000);
    expect(times).toEqual([0, 0, 1_000, 60_000, 60_000]);
  });

  it("is not made where doing it twice may do harm: a function of which nothing is known, a POST, a body that is read once", async () => {
    const calls = vi.fn(() => lost());
    const { clock, api } = world({ retry: quick, breaker: false, fetch: calls as unknown as typeof fetch });
    const count = async (start: () => Promise<unknown>) => {
      calls.mockClear();
      const failed = errorOf(start());
      await clock.advance(1);
      await failed;
      return calls.mock.calls.length;
    };
    const url = "http://x.example/";
    expect(await count(() => api.run(calls))).toBe(1);
    expect(await count(() => api.run(calls, again))).toBe(3);
    expect(await count(() => api.fetch(url))).toBe(3);
    expect(await count(() => api.fetch(url, { method: "POST", body: "x" }))).toBe(1);
    expect(await count(() => api.fetch(new Request(url, { method: "post", body: "x" })))).toBe(1);
    expect(await count(() => api.fetch(url, { method: "POST", headers: { "Idempotency-Key": "1" } }))).toBe(3);
    expect(await count(() => api.fetch(url, { method: "POST" }, again))).toBe(3);
    expect(
      await count(() =>
        api.fetch(url, { method: "PUT", body: new Blob(["x"]).stream(), duplex: "half" } as RequestInit),
      ),
    ).toBe(1);
    expect(await count(() => api.fetch(url, {}, { idempotent: false }))).toBe(1);
  });

  it("is not made of what ends the same way each time: 404, 401, an error of the caller", async () => {
    const { api } = world({ retry: quick });
    for (const status of [400, 401, 403, 404, 501]) {
      expect(await api.run(() => new Response(null, { status }), again)).toMatchObject({ status });
    }
    await errorOf(api.run(() => Promise.reject(new RangeError("mistake")), again));
    expect(api.stats()).toMatchObject({ started: 6, retried: 0 });
  });

  it("is never made earlier than told", async () => {
    const { clock, api, now } = world({ retry: { ...quick, attempts: 2 } });
    const times: number[] = [];
    const made = api.run(() => {
      times.push(now());
      return new Response(null, times.length > 1 ? {} : { status: 429, headers: { "retry-after": "7" } });
    });
    await clock.advance(6_999);
    expect(times).toEqual([0]);
    await clock.advance(1_000);
    expect((await made).status).toBe(200);
    expect(times[1]).toBeGreaterThanOrEqual(7_000);
  });

  it("is never made past the deadline: the last outcome comes back at once", async () => {
    const { api, events } = world({ retry: quick });
    const response = await api.run(() => new Response(null, { status: 429, headers: { "retry-after": "7" } }), {
      maxWaitMs: 6_999,
    });
    expect(response.status).toBe(429);
    expect(events.find(({ type }) => type === "ended")).toMatchObject({ stop: "deadline", outcome: "throttled" });
  });

  it("the last outcome comes back when the limit has no unit before the deadline", async () => {
    const { clock, api, now } = world({ limit: "1/10s", retry: quick });
    const failed = errorOf(api.run(lost, { ...again, maxWaitMs: 5_000 }));
    await clock.advance(0);
    expect(await failed).toMatchObject({ message: "lost" });
    expect(now()).toBe(0);
  });

  it("retries make up a part of all calls and no more", async () => {
    const { clock, api } = world({
      breaker: false,
      retry: { ...quick, attempts: 10, budget: { ratio: 0.1, minPerSecond: 0 } },
    });
    for (let i = 0; i < 100; i++) void errorOf(api.run(lost, again));
    await clock.advance(100);
    expect(api.stats()).toMatchObject({ started: 110, retried: 10 });
  });

  it("the budget is that of the upstream, however often it is made", async () => {
    const options = {
      breaker: false,
      retry: { ...quick, attempts: 10, budget: { ratio: 0, minPerSecond: 0.5 } },
    } as const;
    const { clock, make } = world(options);
    let retried = 0;
    for (let i = 0; i < 20; i++) {
      const upstreams = make(options);
      void errorOf(upstreams.api.run(lost, again));
      await clock.advance(10);
      retried += upstreams.api.stats().retried;
      await upstreams.close();
    }
    expect(retried).toBe(5);
  });

  it("retry: false and attempts: 1 of a call: one attempt", async () => {
    const one = world({ retry: false });
    await errorOf(one.api.run(lost, again));
    const other = world({ retry: quick });
    await errorOf(other.api.run(lost, { ...again, attempts: 1 }));
    expect([one.api.stats().started, other.api.stats().started]).toEqual([1, 1]);
  });

  it("timeoutMs: an attempt that takes longer is aborted and has failed, whether it heeds that or not, and may be made again", async () => {
    const { clock, api, now } = world({ timeoutMs: 1_000, concurrency: 1, retry: { ...quick, attempts: 2 } });
    const signals: AbortSignal[] = [];
    const failed = errorOf(
      api.run(({ signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      }, again),
    );
    await clock.advance(1_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await clock.advance(1_000);
    expect(await failed).toMatchObject({
      name: "TimeoutError",
      message: 'An attempt to call "api" took longer than 1000 ms.',
    });
    expect([now(), api.stats().running, clock.pending]).toEqual([2_000, 0, 0]);
  });

  it("the body of a response that nobody gets is not read any further", async () => {
    const { clock, api } = world({ retry: quick });
    const cancel = vi.fn();
    let attempts = 0;
    const made = api.run(
      () => new Response(new ReadableStream({ cancel }), { status: ++attempts === 1 ? 502 : 200 }),
      again,
    );
    await clock.advance(0);
    expect((await made).status).toBe(200);
    expect(cancel).toHaveBeenCalledTimes(1);
  });
});
