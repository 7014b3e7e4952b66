import type { CallOptions, UpstreamOptions } from "sluice/outbound";
import { describe, expect, it } from "vitest";
import { errorOf, world } from "./world.ts";

const any = (value: unknown) => value as never;

describe("options that cannot be are refused when the upstream is made, in words that help", () => {
  it.each<[given: unknown, message: string | RegExp]>([
    [5, 'An upstream is a limit such as "10/min", a list of such, or { limit, … }, but it is 5.'],
    [null, /An upstream is a limit such as "10\/min"/],
    ["10 per minute", /"10 per minute" is not a rate\. Write "60\/min"/],
    [{ limit: "0/min" }, /"0\/min" cannot be/],
    [["10/min", 7], 'A quota is a text such as "60/min" or the result of perMinute(60), but it is 7.'],
    [["10/min", "20/min"], 'Upstream "api" has two limits "per-minute" per upstream: give one of them another name'],
    [
      { limit: { rate: "10/min", per: "user" } },
      'A limit is per "upstream", "tenant" or "endpoint", but "api" has one per "user".',
    ],
    [{ limit: { rate: "10/min", anchor: "begin" } }, 'The anchor of "api" is "start" or "end", but it is "begin".'],
    [{ anchor: "begin" }, 'The anchor of "api" is "start" or "end", but it is "begin".'],
    [{ concurrency: 0 }, /concurrency of "api" must be a whole number .* but it is 0\./],
    [{ concurrency: 1.5 }, /concurrency of "api".* 1\.5\./],
    [{ maxQueue: -1 }, /maxQueue of "api".* -1\./],
    [{ maxWaitMs: "5s" }, 'maxWaitMs of "api" must be a number of milliseconds of at least 0, but it is "5s".'],
    [{ maxWaitMs: Number.NaN }, /maxWaitMs of "api".* NaN\./],
    [{ timeoutMs: 0 }, /timeoutMs of "api".* at least 1, but it is 0\./],
    [{ coalesceMs: -5 }, /coalesceMs of "api".* -5\./],
    [{ pace: "fast" }, 'The pace of "api" is "smooth", "legacy" or a list of pairs, but it is "fast".'],
    [{ pace: [[2, 100]] }, /A pair of a pace is a used part of the limit from 0 to 1 .* "api" has \[2, 100\]\./],
    [{ pace: [0.5, 100] }, /A pair of a pace/],
    [{ retry: { attempts: 0 } }, /retry\.attempts of "api".* 0\./],
    [{ retry: { baseMs: -1 } }, /baseMs must be a number of milliseconds of at least 0, but it is -1\./],
    [{ retry: { factor: 0.5 } }, /factor must be a number of at least 1, but it is 0\.5\./],
    [{ retry: { budget: { ratio: -1 } } }, /ratio must be a number of at least 0, but it is -1\./],
    [{ breaker: { failureRate: 2 } }, /failureRate must be a number above 0 and up to 1, such as 0\.5, but it is 2\./],
    [{ breaker: { whenOpen: "queue" } }, 'whenOpen of "api" is "fail" or "wait", but it is "queue".'],
    [{ limits: "10/min" }, 'Upstream "api" has no option "limits". There are: limit, '],
    [{ retry: 3 }, 'retry of "api" is { attempts, … } or false, but it is 3.'],
    [{ breaker: true }, 'breaker of "api" is { minimumCalls, … } or false, but it is true.'],
    [{ fetch: "x" }, 'fetch of "api" is a function, but it is "x".'],
  ])("%j", (given, message) => {
    expect(() => world(given as UpstreamOptions)).toThrow(message);
  });
});

describe("options of a call that cannot be refuse that call, and harm no other", () => {
  it.each<[given: object, message: string | RegExp]>([
    [{ cost: -1 }, /cost must be a whole number .* but it is -1\./],
    [{ cost: 1.5 }, /cost must be a whole number/],
    [{ cost: "1" }, /cost must be a whole number/],
    [{ maxWaitMs: -1 }, "maxWaitMs must be a number of milliseconds of at least 0, but it is -1."],
    [{ priority: "urgent" }, 'A priority is "high", "normal" or "low", but it is "urgent".'],
    [{ tenant: "" }, 'The tenant of a call is a text that is not empty, but it is "".'],
    [{ endpoint: 5 }, "The endpoint of a call is a text that is not empty, but it is 5."],
    [{ attempts: 0 }, /attempts must be a whole number .* but it is 0\./],
    [{ key: 5 }, "A key to coalesce by is a text"],
    [{ key: "k", coalesceMs: -1 }, /-1/],
  ])("%j", async (given, message) => {
    const { api, call, times } = world("1/s");
    const error = await errorOf(api.run(() => 0, given as CallOptions));
    expect(error).toBeInstanceOf(Error);
    expect(() => {
      throw error;
    }).toThrow(message);
    await call("next");
    expect(times()).toEqual([0]);
    expect(api.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  it("what is to be called must be a function, and what is reported must be known", async () => {
    const { api } = world({});
    expect(await errorOf(api.run(any("fetch")))).toMatchObject({
      name: "TypeError",
      message: 'run needs a function that makes the call, but it is "fetch".',
    });
    for (const wrong of [undefined, null, 5, {}, { status: 200 }]) {
      expect(await errorOf(api.run(({ report }) => report(any(wrong)), { attempts: 1 }))).toMatchObject({
        name: "TypeError",
      });
    }
    expect(await errorOf(api.run(({ report }) => report({ cost: -1 })))).toMatchObject({ name: "RangeError" });
  });

  it("a request that cannot be fails as fetch does, and takes nothing", async () => {
    const { api, call, times } = world("1/s");
    expect(await errorOf(api.fetch("http://x.example", { headers: any({ "bad name": "x" }) }))).toBeInstanceOf(
      TypeError,
    );
    void call("next");
    expect(times()).toEqual([0]);
  });
});
