import "reflect-metadata";
import type { Server } from "node:http";
import { Controller, Get, Module, type Type } from "@nestjs/common";
import { APP_GUARD, NestFactory } from "@nestjs/core";
import { SkipThrottle, Throttle, ThrottlerGuard, ThrottlerModule, type ThrottlerOptions } from "@nestjs/throttler";
import { createLimiter, fallback, fixedWindow, memoryStore, type Store } from "sluice";
import { sluiceStorage } from "sluice/compat/nestjs-throttler";
import { type ManualClock, manualClock } from "sluice/testing";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { newPath, openStore } from "../stores/sqlite/files.ts";
import { type Served, served } from "./served.ts";

let clock: ManualClock;
let store: ReturnType<typeof memoryStore>;
beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
});

/** The handlers of the app. What a decorator says in Nest is said below: this project compiles without decorators. */
class Routes {
  all() {
    return "ok";
  }
  strict() {
    return "ok";
  }
  free() {
    return "ok";
  }
}

function decorated(name: keyof Routes, ...decorators: readonly MethodDecorator[]): void {
  const method = Object.getOwnPropertyDescriptor(Routes.prototype, name)!;
  for (const decorate of decorators) decorate(Routes.prototype, name, method);
}

Controller()(Routes);
decorated("all", Get());
decorated("strict", Get("strict"), Throttle({ default: { limit: 1, ttl: 120_000 } }) as MethodDecorator);
decorated("free", Get("free"), SkipThrottle() as MethodDecorator);

/** A Nest app on Express, on loopback, with the throttlers for all its routes. */
async function app(throttlers: ThrottlerOptions[], storage = sluiceStorage({ store })): Promise<Served> {
  class App {}
  Module({
    imports: [ThrottlerModule.forRoot({ throttlers, storage })],
    controllers: [Routes],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
  })(App as Type);
  const nest = await NestFactory.create(App as Type, { logger: false });
  onTestFinished(() => nest.close());
  await nest.listen(0, "127.0.0.1");
  return served(nest.getHttpServer() as Server);
}

const perMinute = (limit: number, over: Partial<ThrottlerOptions> = {}): ThrottlerOptions => ({
  ttl: 60_000,
  limit,
  blockDuration: 0,
  ...over,
});

const fields = ({ headers }: Response) =>
  ["limit", "remaining", "reset"].map((name) => headers.get(`x-ratelimit-${name}`)).concat(headers.get("retry-after"));

describe("the limit", () => {
  it("is answered with the fields of @nestjs/throttler", async () => {
    const { get } = await app([perMinute(2)]);
    expect(fields(await get())).toEqual(["2", "1", "60", null]);
    clock.advanceSync(10_500);
    expect(fields(await get())).toEqual(["2", "0", "60", null]);
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ message: "ThrottlerException: Too Many Requests" });
    expect(fields(refused)).toEqual([null, null, null, "50"]);
  });

  it("does not charge who is refused, and holds in any window", async () => {
    const { times } = await app([perMinute(2)]);
    expect(await times(1)).toEqual([200]);
    clock.advanceSync(59_000);
    expect(await times(3)).toEqual([200, 429, 429]);
    clock.advanceSync(1_000);
    expect(await times(2)).toEqual([200, 429]);
    clock.advanceSync(59_000);
    expect(await times(2)).toEqual([200, 429]);
  });

  it("may be counted in fixed windows", async () => {
    const { times } = await app([perMinute(2)], sluiceStorage({ store, algorithm: fixedWindow }));
    expect(await times(1)).toEqual([200]);
    clock.advanceSync(59_000);
    expect(await times(2)).toEqual([200, 429]);
    clock.advanceSync(1_000);
    expect(await times(3)).toEqual([200, 200, 429]);
  });

  it("of 0 refuses all", async () => {
    const { times } = await app([perMinute(0)]);
    expect(await times(2)).toEqual([429, 429]);
  });

  it("is one for each route, which may have numbers of its own or none", async () => {
    const { statuses, get } = await app([perMinute(2)]);
    expect(await statuses("/", "/", "/", "/free", "/free", "/free")).toEqual([200, 200, 429, 200, 200, 200]);
    expect(await statuses("/strict", "/strict")).toEqual([200, 429]);
    expect((await get("/strict")).headers.get("retry-after")).toBe("120");
    clock.advanceSync(60_000);
    expect(await statuses("/", "/strict")).toEqual([200, 429]);
  });

  it("of several throttlers is counted for each by itself, under its name", async () => {
    const { get } = await app([perMinute(3, { name: "long", ttl: 600_000 }), perMinute(1, { name: "short" })]);
    const first = await get();
    expect(first.headers.get("x-ratelimit-remaining-short")).toBe("0");
    expect(first.headers.get("x-ratelimit-remaining-long")).toBe("2");
    const refused = await get();
    expect([refused.status, refused.headers.get("retry-after-short")]).toEqual([429, "60"]);
    clock.advanceSync(60_000);
    // Unlike ours, theirs asks one after the other: what "short" refuses comes before "long" is asked.
    expect((await get()).headers.get("x-ratelimit-remaining-long")).toBe("1");
  });

  it("by a function has one count for a key, whatever the limit is for this request", async () => {
    let limit = 1;
    const { times } = await app([perMinute(1, { limit: () => limit })]);
    expect(await times(2)).toEqual([200, 429]);
    limit = 3;
    expect(await times(3)).toEqual([200, 200, 429]);
    limit = 1;
    expect(await times(1)).toEqual([429]);
  });
});

describe("blockDuration", () => {
  it("begins with the first refused request, and is not prolonged", async () => {
    const { times, get } = await app([perMinute(1, { blockDuration: 300_000 })]);
    expect(await times(1)).toEqual([200]);
    clock.advanceSync(30_000);
    expect((await get()).headers.get("retry-after")).toBe("300");
    clock.advanceSync(100_000);
    expect((await get()).headers.get("retry-after")).toBe("200");
    clock.advanceSync(199_999);
    expect(await times(1)).toEqual([429]);
    clock.advanceSync(1);
    expect(await times(2)).toEqual([200, 429]);
  });

  it("is the window unless given, as in @nestjs/throttler", async () => {
    const { times, get } = await app([{ ttl: 60_000, limit: 1 }]);
    expect(await times(1)).toEqual([200]);
    clock.advanceSync(50_000);
    expect((await get()).headers.get("retry-after")).toBe("60");
    clock.advanceSync(59_999);
    expect(await times(1)).toEqual([429]);
    clock.advanceSync(1);
    expect(await times(1)).toEqual([200]);
  });

  it("lets nobody in sooner than the window", async () => {
    const { times, get } = await app([perMinute(1, { blockDuration: 1_000 })]);
    expect(await times(1)).toEqual([200]);
    expect((await get()).headers.get("retry-after")).toBe("60");
    clock.advanceSync(1_000);
    expect(await times(1)).toEqual([429]);
  });

  it("of 0 and for a limit of 0 is the window", async () => {
    const { get } = await app([perMinute(0)]);
    expect((await get()).headers.get("retry-after")).toBe("60");
  });
});

describe("the storage", () => {
  it("is shared by apps over the same store, unless they have other names", async () => {
    const one = await app([perMinute(2)]);
    const other = await app([perMinute(2)]);
    const named = await app([perMinute(2)], sluiceStorage({ store, name: "admin" }));
    expect(await one.times(1)).toEqual([200]);
    expect(await other.times(2)).toEqual([200, 429]);
    expect(await one.times(1)).toEqual([429]);
    expect(await named.times(3)).toEqual([200, 200, 429]);
  });

  it("says of a refused request that it is one above the limit, however often it comes", async () => {
    const { increment } = sluiceStorage({ store });
    const ask = () => increment("me", 60_000, 2, 0, "default");
    expect(await ask()).toEqual({ totalHits: 1, timeToExpire: 60, isBlocked: false, timeToBlockExpire: 0 });
    expect(await ask()).toMatchObject({ totalHits: 2, isBlocked: false });
    const refused = { totalHits: 3, timeToExpire: 60, isBlocked: true, timeToBlockExpire: 60 };
    expect([await ask(), await ask()]).toEqual([refused, refused]);
    // A limiter whose usage is carried over, because the limit of a throttler may be a function.
    const limiter = createLimiter({
      name: "nestjs-throttler/default",
      quota: "2/min",
      store,
      whenChanged: "carry",
    });
    limiter.reset("me");
    expect(await ask()).toMatchObject({ totalHits: 1 });
  });

  it("fails as a store, not as a limit: an outage is never a 429", async () => {
    const broken = { take: () => Promise.reject(new Error("no disk")), forget: () => undefined } as Store;
    for (const each of [broken, fallback(broken, "closed")]) {
      const { times } = await app([perMinute(1)], sluiceStorage({ store: each }));
      expect(await times(2)).toEqual([500, 500]);
    }
  });

  it("may be a file that processes share", async () => {
    const path = newPath();
    const overFile = () => app([perMinute(3, { ttl: 86_400_000 })], sluiceStorage({ store: openStore({ path }) }));
    const one = await overFile();
    const other = await overFile();
    const all = await Promise.all([one, other, one, other, one, other].map(({ times }) => times(1)));
    expect(all.flat().sort()).toEqual([200, 200, 200, 429, 429, 429]);
  });
});
