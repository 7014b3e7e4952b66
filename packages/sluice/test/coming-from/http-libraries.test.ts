import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createLimiter, fixedWindow, memoryStore, quota, RateLimitError } from "sluice";
import { rateLimit } from "sluice/node";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it } from "vitest";

// What docs/coming-from.md says to those who come from express-rate-limit, @fastify/rate-limit, hono-rate-limiter and
// rate-limiter-flexible, where it is more than another name for an option.

let clock: ManualClock;
let store: ReturnType<typeof memoryStore>;
beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
});

describe("their window begins with the first hit", () => {
  it("and lets twice the limit through across its edge; ours does not", () => {
    const theirs = createLimiter({
      quota: quota({
        name: "per-minute",
        text: "5 per minute",
        periodMs: 60_000,
        algorithm: fixedWindow({ limit: 5, periodMs: 60_000 }),
      }),
      store,
    });
    const ours = createLimiter({ quota: "5/min", store });
    const passed = { theirs: 0, ours: 0 };
    const ask = (limiter: typeof ours) => Number(limiter.consume("k").allowed);
    passed.theirs += ask(theirs);
    passed.ours += ask(ours);
    clock.advanceSync(59_000);
    for (let i = 0; i < 4; i++) {
      passed.theirs += ask(theirs);
      passed.ours += ask(ours);
    }
    expect(passed).toEqual({ theirs: 5, ours: 5 });
    clock.advanceSync(1000);
    for (let i = 0; i < 5; i++) {
      passed.theirs += ask(theirs);
      passed.ours += ask(ours);
    }
    // In the last second: nine against five.
    expect(passed).toEqual({ theirs: 10, ours: 6 });
  });
});

describe("rate-limiter-flexible", () => {
  it("consume(key, points): a refusal is a value, and takes nothing", () => {
    const limiter = createLimiter({ quota: "5/min", store });
    expect(limiter.consume("k", 3)).toMatchObject({ allowed: true, remaining: 2 });
    expect(limiter.consume("k", 3)).toMatchObject({ allowed: false, remaining: 2, retryAfterMs: 60_000 });
    expect(limiter.consume("k", 2).allowed).toBe(true);
  });

  it("get, reward, block and delete are peek, refund, block and reset", () => {
    const limiter = createLimiter({ quota: "5/min", store });
    limiter.consume("k", 5);
    expect(limiter.peek("k", 0)).toMatchObject({ remaining: 0, limit: 5 });
    limiter.refund("k", 2);
    expect(limiter.peek("k", 0).remaining).toBe(2);
    limiter.block("k", 3_600_000);
    expect(limiter.consume("k")).toMatchObject({ allowed: false, quota: "block", retryAfterMs: 3_600_000 });
    limiter.reset("k");
    expect(limiter.consume("k", 5).allowed).toBe(true);
  });

  it("penalty is a reservation that is settled for more", () => {
    const limiter = createLimiter({ quota: "5/min", store });
    limiter.consume("k", 4);
    limiter.reserve("k", 0).commit(3);
    expect(limiter.consume("k")).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 60_000 });
  });

  it("a union is a list of quotas: all or none", () => {
    const limiter = createLimiter({ quota: ["2/s", "3/min"], store });
    expect(limiter.consume("k", 2).allowed).toBe(true);
    clock.advanceSync(1000);
    expect(limiter.consume("k", 2)).toMatchObject({ allowed: false, quota: "per-minute" });
    expect(limiter.consume("k", 1).allowed).toBe(true);
  });

  it("execEvenly is a bucket with a burst of 1, and `wait`", async () => {
    const limiter = createLimiter({ quota: "10/s burst 1", store });
    const started: number[] = [];
    const start = clock.elapsed();
    const calls = [1, 2, 3].map(async () => {
      await limiter.wait("k");
      started.push((clock.elapsed() - start) / 1000);
    });
    await clock.advance(200);
    await Promise.all(calls);
    expect(started).toEqual([0, 100, 200]);
  });

  it("a queue with a bound is `wait` with `maxWaitMs`: who cannot make it is refused at once", async () => {
    const limiter = createLimiter({ quota: "1/s", store });
    limiter.consume("k");
    const waiting = limiter.wait("k", { maxWaitMs: 1000 });
    const late = await limiter.wait("k", { maxWaitMs: 1000 }).catch((error: unknown) => error);
    expect(late).toBeInstanceOf(RateLimitError);
    expect((late as RateLimitError).decision.retryAfterMs).toBe(2000);
    await clock.advance(1000);
    expect((await waiting).allowed).toBe(true);
  });
});

describe("express-rate-limit, @fastify/rate-limit, hono-rate-limiter", () => {
  /** The statuses of requests to a server that answers 401 to `/wrong` and 200 to all else, if `mayPass` lets it. */
  async function statuses(
    mayPass: (request: IncomingMessage, response: ServerResponse) => boolean,
    paths: readonly string[],
  ): Promise<number[]> {
    const server = createServer((request, response) => {
      if (!mayPass(request, response)) return;
      response.statusCode = request.url === "/wrong" ? 401 : 200;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const found: number[] = [];
    for (const path of paths) found.push((await fetch(`http://127.0.0.1:${port}${path}`)).status);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    return found;
  }

  it("skipSuccessfulRequests: hand the unit back when the answer turned out well", async () => {
    const limiter = createLimiter({ quota: "2/min", store });
    const keys = new WeakMap<IncomingMessage, string>();
    const check = rateLimit({ limiter, onDecision: ({ request, key }) => keys.set(request, key) });
    const mayPass = (request: IncomingMessage, response: ServerResponse) => {
      if (check(request, response) !== true) return false;
      response.once("finish", () => response.statusCode < 400 && limiter.refund(keys.get(request)!));
      return true;
    };
    expect(await statuses(mayPass, ["/", "/", "/", "/wrong", "/", "/wrong", "/", "/wrong"])).toEqual([
      200, 200, 200, 401, 200, 401, 429, 429,
    ]);
  });

  it("`limit` or `max` by a function: a limit for each kind of client, each with `skip`", async () => {
    const isPaying = ({ url }: IncomingMessage) => url === "/paying";
    const free = rateLimit({ quota: "1/min", store, name: "free", skip: isPaying });
    const paying = rateLimit({ quota: "3/min", store, name: "paying", skip: (request) => !isPaying(request) });
    const mayPass = (request: IncomingMessage, response: ServerResponse) =>
      free(request, response) === true && paying(request, response) === true;
    expect(await statuses(mayPass, ["/", "/", "/paying", "/paying", "/paying", "/paying"])).toEqual([
      200, 429, 200, 200, 200, 429,
    ]);
  });

  it("`ban`: block the key when it has been refused too often", async () => {
    const limiter = createLimiter({ quota: "1/min", store });
    const strikes = createLimiter({ quota: "2/h", store, name: "strikes" });
    const check = rateLimit({
      limiter,
      onDecision: ({ key, decision }) => {
        if (!decision.allowed && !strikes.consume(key).allowed) limiter.block(key, 3_600_000);
      },
    });
    const mayPass = (request: IncomingMessage, response: ServerResponse) => check(request, response) === true;
    expect(await statuses(mayPass, ["/", "/", "/", "/"])).toEqual([200, 429, 429, 429]);
    clock.advanceSync(60_000);
    expect(await statuses(mayPass, ["/"])).toEqual([429]);
    clock.advanceSync(3_600_000);
    expect(await statuses(mayPass, ["/"])).toEqual([200]);
  });
});
