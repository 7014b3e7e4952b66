import rateLimit, { type RateLimitPluginOptions } from "@fastify/rate-limit";
import fastify, { type FastifyInstance } from "fastify";
import { createLimiter, fallback, memoryStore, type Store } from "sluice";
import { sluiceStore } from "sluice/compat/fastify-rate-limit";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { newPath, openStore } from "../stores/sqlite/files.ts";
import { type Served, served } from "./served.ts";

let clock: ManualClock;
let store: ReturnType<typeof memoryStore>;
beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
});

/** An app with the plugin, on loopback. */
async function app(
  options: RateLimitPluginOptions,
  routes: (instance: FastifyInstance) => void = (instance) => void instance.get("/", () => "ok"),
): Promise<Served> {
  const instance = fastify();
  await instance.register(rateLimit, { timeWindow: 60_000, store: sluiceStore({ store }), ...options });
  routes(instance);
  await instance.listen({ port: 0, host: "127.0.0.1" });
  return served(instance.server);
}

const fields = ({ headers }: Response) =>
  ["limit", "remaining", "reset"].map((name) => headers.get(`x-ratelimit-${name}`)).concat(headers.get("retry-after"));

describe("the limit", () => {
  it("is answered with the fields of @fastify/rate-limit", async () => {
    const { get } = await app({ max: 2 });
    expect(fields(await get())).toEqual(["2", "1", "60", null]);
    clock.advanceSync(10_000);
    expect(fields(await get())).toEqual(["2", "0", "60", null]);
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(fields(refused)).toEqual(["2", "0", "50", "50"]);
    expect(await refused.json()).toMatchObject({ message: "Rate limit exceeded, retry in 50 seconds" });
  });

  it("does not charge who is refused, and holds in any window", async () => {
    const { times } = await app({ max: 2 });
    expect(await times(1)).toEqual([200]);
    clock.advanceSync(59_000);
    expect(await times(3)).toEqual([200, 429, 429]);
    clock.advanceSync(1_000);
    expect(await times(2)).toEqual([200, 429]);
    clock.advanceSync(59_000);
    expect(await times(2)).toEqual([200, 429]);
  });

  it("of 0 refuses all", async () => {
    const { times } = await app({ max: 0 });
    expect(await times(2)).toEqual([429, 429]);
  });

  it("by a function has one count for a key, whatever the limit is for this request", async () => {
    const max = ({ headers }: { headers: Record<string, unknown> }) => (headers["x-plan"] === "paying" ? 3 : 1);
    const { times } = await app({ max });
    expect(await times(2)).toEqual([200, 429]);
    expect(await times(3, "/", { "x-plan": "paying" })).toEqual([200, 200, 429]);
    expect(await times(1)).toEqual([429]);
  });

  it("may have a window by a function, and another window is another count", async () => {
    const timeWindow = ({ headers }: { headers: Record<string, unknown> }) => Number(headers["x-window"] ?? 60_000);
    const { times } = await app({ max: 1, timeWindow });
    expect(await times(2)).toEqual([200, 429]);
    expect(await times(2, "/", { "x-window": "1000" })).toEqual([200, 429]);
    clock.advanceSync(1_000);
    expect(await times(2, "/", { "x-window": "1000" })).toEqual([200, 429]);
    expect(await times(1)).toEqual([429]);
  });
});

describe("routes", () => {
  const withRoutes = (instance: FastifyInstance) => {
    instance.get("/", () => "ok");
    instance.get("/other", () => "ok");
    instance.get("/own", { config: { rateLimit: { max: 1, timeWindow: "2 minutes" } } }, () => "ok");
    instance.post("/own", { config: { rateLimit: { max: 1, timeWindow: "2 minutes" } } }, () => "ok");
    const grouped = { config: { rateLimit: { max: 2, groupId: "search" } } };
    instance.get("/find", grouped, () => "ok");
    instance.get("/list", grouped, () => "ok");
    instance.get("/free", { config: { rateLimit: false } }, () => "ok");
  };

  it("share the limit of the plugin, or have counts and windows of their own", async () => {
    const { statuses } = await app({ max: 2 }, withRoutes);
    expect(await statuses("/", "/other", "/", "/other")).toEqual([200, 200, 429, 429]);
    expect(await statuses("/own", "/own", "/free", "/free", "/free")).toEqual([200, 429, 200, 200, 200]);
    clock.advanceSync(60_000);
    expect(await statuses("/", "/own")).toEqual([200, 429]);
    clock.advanceSync(60_000);
    expect(await statuses("/own")).toEqual([200]);
  });

  it("of one group share a limit, as the documentation of @fastify/rate-limit has it", async () => {
    const { statuses } = await app({ max: 9 }, withRoutes);
    expect(await statuses("/find", "/list", "/find", "/list")).toEqual([200, 200, 429, 429]);
  });

  it("count by themselves in every app over the same store, and together with the same route there", async () => {
    const one = await app({ max: 9 }, withRoutes);
    const other = await app({ max: 9 }, withRoutes);
    expect(await one.statuses("/own", "/find")).toEqual([200, 200]);
    expect(await other.statuses("/own", "/list", "/find", "/")).toEqual([429, 200, 429, 200]);
  });

  it("that make limits by hand have one for each, even of the same numbers", async () => {
    const { statuses, get } = await app({ global: false }, (instance) => {
      const numbers = { max: 1, timeWindow: 60_000 };
      instance.get("/a", { onRequest: instance.rateLimit(numbers) }, () => "ok");
      instance.get("/b", { onRequest: instance.rateLimit(numbers) }, () => "ok");
      const check = instance.createRateLimit({ max: 2, timeWindow: 60_000 });
      instance.get("/look", (request) => check(request, { increment: false }));
      instance.get("/take", (request) => check(request));
    });
    expect(await statuses("/a", "/a", "/b", "/b")).toEqual([200, 429, 200, 429]);
    const answer = async (path: string) => (await get(path)).json();
    expect(await answer("/look")).toMatchObject({ remaining: 2, ttl: 0, isExceeded: false });
    expect(await answer("/take")).toMatchObject({ remaining: 1, ttl: 60_000, isExceeded: false });
    expect(await answer("/look")).toMatchObject({ remaining: 1, ttl: 60_000, isExceeded: false });
    expect(await answer("/take")).toMatchObject({ remaining: 0, isExceeded: false });
    expect(await answer("/take")).toMatchObject({ remaining: 0, isExceeded: true });
    expect(await answer("/look")).toMatchObject({ remaining: 0, isExceeded: false });
  });
});

describe("those who go on", () => {
  it("continueExceeding: wait for a whole window after each refused request", async () => {
    const { times, get } = await app({ max: 1, continueExceeding: true });
    expect(await times(1)).toEqual([200]);
    clock.advanceSync(50_000);
    expect(fields(await get())).toEqual(["1", "0", "60", "60"]);
    clock.advanceSync(59_000);
    expect(fields(await get())).toEqual(["1", "0", "60", "60"]);
    clock.advanceSync(59_999);
    expect(await times(1)).toEqual([429]);
    clock.advanceSync(60_000);
    expect(await times(2)).toEqual([200, 429]);
  });

  it("exponentialBackoff: wait for twice as long as was left, and really", async () => {
    const { times, get } = await app({ max: 1, exponentialBackoff: true });
    const wait = async () => Number((await get()).headers.get("retry-after"));
    expect(await times(1)).toEqual([200]);
    expect([await wait(), await wait(), await wait()]).toEqual([60, 120, 240]);
    clock.advanceSync(200_000);
    expect(await wait()).toBe(80);
    clock.advanceSync(79_999);
    expect(await wait()).toBe(60);
    clock.advanceSync(60_000);
    expect(await times(1)).toEqual([200]);
  });

  it("exponentialBackoff ends at 30 days", async () => {
    const { get } = await app({ max: 1, exponentialBackoff: true });
    let longest = 0;
    for (let i = 0; i < 30; i++) longest = Math.max(longest, Number((await get()).headers.get("retry-after")));
    expect(longest).toBe(30 * 86_400);
  });

  it("ban: are banned after so many refused requests of a window, until they pass again", async () => {
    const { times } = await app({ max: 1, ban: 2 });
    expect(await times(6)).toEqual([200, 429, 429, 403, 403, 403]);
    clock.advanceSync(60_000);
    expect(await times(4)).toEqual([200, 429, 429, 403]);
  });
});

describe("the store", () => {
  it("keeps limits of other names apart", async () => {
    const one = await app({ max: 1 });
    const other = await app({ max: 1, store: sluiceStore({ store, name: "admin" }) });
    expect([await one.times(2), await other.times(2)]).toEqual([
      [200, 429],
      [200, 429],
    ]);
  });

  it("of its own is one for each app", async () => {
    const own = sluiceStore();
    const one = await app({ max: 1, store: own });
    const other = await app({ max: 1, store: own });
    expect([await one.times(2), await other.times(2)]).toEqual([
      [200, 429],
      [200, 429],
    ]);
  });

  it("is an ordinary limiter, which can be asked and reset from elsewhere", async () => {
    const { times } = await app({ max: 2, keyGenerator: () => 7 });
    const limiter = createLimiter({ name: "fastify-rate-limit", quota: "2/min", store });
    expect(await times(3)).toEqual([200, 200, 429]);
    expect(limiter.peek("7", 0).remaining).toBe(0);
    limiter.reset("7");
    expect(await times(1)).toEqual([200]);
  });

  it("has a limiter for each route and group, of a name that operators can know", async () => {
    const { statuses } = await app({ max: 9, keyGenerator: () => "me" }, (instance) => {
      instance.get("/search", { config: { rateLimit: { max: 5 } } }, () => "ok");
      instance.get("/list", { config: { rateLimit: { max: 5, groupId: "lists" } } }, () => "ok");
    });
    await statuses("/search", "/list", "/list");
    const left = (name: string, key: string) => createLimiter({ name, quota: "5/min", store }).peek(key, 0).remaining;
    expect(left("fastify-rate-limit/GET /search", "me")).toBe(4);
    // @fastify/rate-limit itself writes the group behind the key.
    expect(left("fastify-rate-limit/group/lists", "melists")).toBe(3);
  });

  it("fails as a store, not as a limit: an outage is never a 429", async () => {
    const broken = { take: () => Promise.reject(new Error("no disk")), forget: () => undefined } as Store;
    for (const each of [broken, fallback(broken, "closed")]) {
      const { times } = await app({ max: 1, store: sluiceStore({ store: each }) });
      expect(await times(2)).toEqual([500, 500]);
      const open = await app({ max: 1, store: sluiceStore({ store: each }), skipOnError: true });
      expect(await open.times(2)).toEqual([200, 200]);
    }
  });

  it("may be a file that processes share", async () => {
    const path = newPath();
    const overFile = () => app({ max: 3, timeWindow: 86_400_000, store: sluiceStore({ store: openStore({ path }) }) });
    const one = await overFile();
    const other = await overFile();
    const all = await Promise.all([one, other, one, other, one, other].map(({ times }) => times(1)));
    expect(all.flat().sort()).toEqual([200, 200, 200, 429, 429, 429]);
  });
});
