import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import type { WSContext, WSEvents } from "hono/ws";
import { type HonoConfigProps, rateLimiter, webSocketLimiter } from "hono-rate-limiter";
import { fallback, memoryStore, type Store } from "sluice";
import { sluiceStore } from "sluice/compat/hono-rate-limiter";
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

const perMinute = (limit: number, over: Partial<HonoConfigProps> = {}): HonoConfigProps => ({
  windowMs: 60_000,
  limit,
  keyGenerator: (context) => context.req.header("x-client") ?? "anyone",
  store: sluiceStore({ store }),
  ...over,
});

/** An app behind the limiters, which answers 401 to `/wrong` and 200 to all else. */
function app(...limiters: readonly HonoConfigProps[]): Promise<Served & { readonly errors: Error[] }> {
  const hono = new Hono();
  const errors: Error[] = [];
  for (const options of limiters) hono.use(rateLimiter(options));
  hono.all("*", (context) => context.text("ok", context.req.path === "/wrong" ? 401 : 200));
  hono.onError((error, context) => {
    errors.push(error);
    return context.text("failed", 500);
  });
  return served(createAdaptorServer({ fetch: hono.fetch }) as Server).then((one) => ({ ...one, errors }));
}

describe("the limit", () => {
  it("is answered with the fields of hono-rate-limiter", async () => {
    const { get } = await app(perMinute(2));
    const fields = ({ headers }: Response) =>
      ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"].map((name) => headers.get(name));
    expect(fields(await get())).toEqual(["2", "1", "60", null]);
    clock.advanceSync(10_000);
    expect(fields(await get())).toEqual(["2", "0", "60", null]);
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(await refused.text()).toBe("Too many requests, please try again later.");
    expect(fields(refused)).toEqual(["2", "0", "50", "50"]);
    expect(refused.headers.get("ratelimit-policy")).toBe("2;w=60");
  });

  it("does not charge who is refused, and holds in any window", async () => {
    const { times } = await app(perMinute(2));
    expect(await times(1)).toEqual([200]);
    clock.advanceSync(59_000);
    expect(await times(3)).toEqual([200, 429, 429]);
    clock.advanceSync(1_000);
    expect(await times(2)).toEqual([200, 429]);
    clock.advanceSync(59_000);
    expect(await times(2)).toEqual([200, 429]);
  });

  it("is one for each key", async () => {
    const { times } = await app(perMinute(1));
    expect(await times(2, "/", { "x-client": "a" })).toEqual([200, 429]);
    expect(await times(2, "/", { "x-client": "b" })).toEqual([200, 429]);
  });

  it("by a function needs maxLimit, which is said when the limiter is made", async () => {
    const limit = (context: { req: { path: string } }) => (context.req.path === "/paying" ? 3 : 1);
    expect(() => rateLimiter(perMinute(0, { limit }))).toThrow("maxLimit");
    const { statuses } = await app(perMinute(0, { limit, store: sluiceStore({ store, maxLimit: 3 }) }));
    expect(await statuses("/", "/", "/paying", "/paying")).toEqual([200, 429, 200, 429]);
  });
});

describe("requests that shall not count", () => {
  // hono-rate-limiter asks whether a refused request was successful before it is answered, and finds that it was.
  it("skipSuccessfulRequests: only failures count, and who is refused gets nothing back", async () => {
    const { statuses } = await app(perMinute(2, { skipSuccessfulRequests: true }));
    expect(await statuses("/", "/", "/", "/wrong", "/", "/wrong", "/wrong", "/", "/")).toEqual([
      200, 200, 200, 401, 200, 401, 429, 429, 429,
    ]);
  });

  it("skipFailedRequests: only successes count", async () => {
    const { statuses } = await app(perMinute(2, { skipFailedRequests: true }));
    expect(await statuses("/wrong", "/wrong", "/wrong", "/", "/", "/", "/wrong", "/")).toEqual([
      401, 401, 401, 200, 200, 429, 429, 429,
    ]);
  });
});

describe("messages of a web socket", () => {
  it("are refused beyond the limit, and those that fail may be free", async () => {
    const seen: unknown[] = [];
    const limiter = webSocketLimiter({
      windowMs: 60_000,
      limit: 2,
      skipFailedRequests: true,
      keyGenerator: () => "socket",
      store: sluiceStore({ store }),
    });
    const events = limiter(() => ({
      onMessage({ data }) {
        if (data === "bad") throw new Error("bad");
        seen.push(data);
      },
    })) as unknown as (context: unknown) => Promise<WSEvents>;
    const { onMessage } = await events({ set: () => undefined });
    const socket = { close: (code: number) => seen.push(code) } as unknown as WSContext;
    for (const data of ["one", "bad", "bad", "two", "three", "four"]) {
      await Promise.resolve(onMessage?.({ data } as MessageEvent, socket)).catch(() => seen.push("failed"));
    }
    expect(seen).toEqual(["one", "failed", "failed", "two", 1008, 1008]);
  });
});

describe("the store", () => {
  it("is shared by limiters of the same name and numbers, and only by those", async () => {
    const one = await app(perMinute(2));
    const other = await app(perMinute(2));
    const named = await app(perMinute(2, { store: sluiceStore({ store, name: "login" }) }));
    const more = await app(perMinute(3));
    expect(await one.times(1)).toEqual([200]);
    expect(await other.times(2)).toEqual([200, 429]);
    expect(await one.times(1)).toEqual([429]);
    expect(await named.times(3)).toEqual([200, 200, 429]);
    expect(await more.times(4)).toEqual([200, 200, 200, 429]);
  });

  it("is found by handlers, which may look and reset", async () => {
    const hono = new Hono<{ Variables: { rateLimitStore: ReturnType<typeof sluiceStore> & { getKey: never } } }>();
    const mine = sluiceStore({ store });
    hono.use(rateLimiter({ ...perMinute(2), store: mine } as never));
    hono.get("/reset", async (context) => {
      await context.get("rateLimitStore").resetKey("anyone");
      return context.text("as new");
    });
    hono.get("/", (context) => context.text("ok"));
    const { statuses } = await served(createAdaptorServer({ fetch: hono.fetch }) as Server);
    expect(await statuses("/", "/reset", "/", "/", "/")).toEqual([200, 200, 200, 200, 429]);
    expect(mine.get("anyone")).toMatchObject({ totalHits: 2 });
  });

  it("fails as a store, not as a limit: an outage is never a 429", async () => {
    const broken = { take: () => Promise.reject(new Error("no disk")), forget: () => undefined } as Store;
    const { times, errors } = await app(perMinute(1, { store: sluiceStore({ store: fallback(broken, "closed") }) }));
    expect(await times(2)).toEqual([500, 500]);
    expect(errors).toHaveLength(2);
  });

  it("may be a file that processes share", async () => {
    const path = newPath();
    const overFile = () => perMinute(3, { store: sluiceStore({ store: openStore({ path }) }), windowMs: 86_400_000 });
    const one = await app(overFile());
    const other = await app(overFile());
    const all = await Promise.all([one, other, one, other, one, other].map(({ times }) => times(1)));
    expect(all.flat().sort()).toEqual([200, 200, 200, 429, 429, 429]);
  });
});
