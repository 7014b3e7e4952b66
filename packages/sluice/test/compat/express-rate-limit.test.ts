import { createServer } from "node:http";
import express from "express";
import { type Options, rateLimit } from "express-rate-limit";
import { createLimiter, fallback, fixedWindow, memoryStore, type Store } from "sluice";
import { sluiceStore } from "sluice/compat/express-rate-limit";
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

/** What express-rate-limit says about how it is used, and errors that came to the host. */
interface Heard {
  readonly complaints: unknown[];
  readonly errors: unknown[];
  readonly used: number[];
}

/** An app behind the limiters, which answers 401 to `/wrong` and 200 to all else. */
async function app(...limiters: readonly Partial<Options>[]): Promise<Served & Heard> {
  const heard: Heard = { complaints: [], errors: [], used: [] };
  const complain = (error: unknown) => heard.complaints.push(error);
  const server = express();
  for (const options of limiters) {
    server.use(rateLimit({ ...options, logger: { error: complain, warn: complain } }));
  }
  server.use((request, response) => {
    heard.used.push((request as unknown as { rateLimit?: { used: number } }).rateLimit?.used ?? 0);
    response.status(request.path === "/wrong" ? 401 : 200).send("ok");
  });
  server.use(((error, _request, response, _next) => {
    heard.errors.push(error);
    response.status(500).end();
  }) satisfies express.ErrorRequestHandler);
  return { ...(await served(createServer(server))), ...heard };
}

const perMinute = (limit: number, over: Partial<Options> = {}): Partial<Options> => ({
  windowMs: 60_000,
  limit,
  store: sluiceStore({ store }),
  ...over,
});

describe("the limit", () => {
  it("is answered with the fields of express-rate-limit", async () => {
    const { get, complaints, used } = await app(perMinute(2, { standardHeaders: "draft-8", identifier: "two" }));
    const fields = ({ headers }: Response) => [
      headers.get("x-ratelimit-limit"),
      headers.get("x-ratelimit-remaining"),
      headers.get("ratelimit"),
      headers.get("retry-after"),
    ];
    expect(fields(await get())).toEqual(["2", "1", '"two"; r=1; t=60', null]);
    clock.advanceSync(10_000);
    expect(fields(await get())).toEqual(["2", "0", '"two"; r=0; t=60', null]);
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(await refused.text()).toBe("Too many requests, please try again later.");
    // Not the window of the newest request: the first one's place is free in 50 seconds.
    expect(fields(refused)).toEqual(["2", "0", '"two"; r=0; t=50', "50"]);
    expect(refused.headers.get("ratelimit-policy")).toContain("q=2; w=60");
    expect(used).toEqual([1, 2]);
    expect(complaints).toEqual([]);
  });

  it("does not charge who is refused: `used` is the limit and one, and the window ends when it ends", async () => {
    const used: number[] = [];
    const { times } = await app(
      perMinute(2, {
        handler: (request, response) => {
          used.push((request as unknown as { rateLimit: { used: number } }).rateLimit.used);
          response.status(429).end();
        },
      }),
    );
    expect(await times(2)).toEqual([200, 200]);
    clock.advanceSync(59_999);
    expect(await times(3)).toEqual([429, 429, 429]);
    expect(used).toEqual([3, 3, 3]);
    clock.advanceSync(1);
    expect(await times(3)).toEqual([200, 200, 429]);
  });

  it("holds in any window; with fixedWindow, in each by itself as theirs does", async () => {
    const ours = await app(perMinute(2));
    const theirs = await app(perMinute(2, { store: sluiceStore({ store, name: "fixed", algorithm: fixedWindow }) }));
    expect([await ours.times(1), await theirs.times(1)]).toEqual([[200], [200]]);
    clock.advanceSync(59_000);
    expect([await ours.times(1), await theirs.times(1)]).toEqual([[200], [200]]);
    clock.advanceSync(1_000);
    expect(await ours.times(2)).toEqual([200, 429]);
    expect(await theirs.times(3)).toEqual([200, 200, 429]);
  });

  it("counts each of the requests whose keys are known at the same moment", async () => {
    let waiting = 0;
    let open = () => {};
    const session = new Promise<string>((resolve) => {
      open = () => resolve("me");
    });
    const keyGenerator = () => {
      if (++waiting === 5) open();
      return session;
    };
    const { times } = await app(perMinute(4, { keyGenerator }));
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => times(1)));
    expect(all.flat().sort()).toEqual([200, 200, 200, 200, 429]);
  });

  it("holds in windows that are longer than a timer", async () => {
    const { times } = await app(perMinute(1, { windowMs: 30 * 86_400_000 }));
    expect(await times(2)).toEqual([200, 429]);
    clock.advanceSync(30 * 86_400_000);
    expect(await times(2)).toEqual([200, 429]);
  });

  it("of 0 refuses all", async () => {
    const { times } = await app(perMinute(0, { validate: { limit: false } }));
    expect(await times(2)).toEqual([429, 429]);
  });

  it("may be any number that express-rate-limit takes", async () => {
    const { times } = await app(perMinute(2.5), perMinute(Number.POSITIVE_INFINITY));
    expect(await times(3)).toEqual([200, 200, 429]);
  });

  it("by a function needs maxLimit, and then counts every request up to that", async () => {
    const limit = ({ path }: { path: string }) => (path === "/paying" ? 3 : 1);
    const without = await app(perMinute(0, { limit }));
    expect(await without.times(1)).toEqual([500]);
    expect(without.errors).toEqual([expect.objectContaining({ message: expect.stringContaining("maxLimit") })]);
    expect(without.complaints).toHaveLength(1);
    const { statuses } = await app(perMinute(0, { limit, store: sluiceStore({ store, maxLimit: 3 }) }));
    expect(await statuses("/", "/", "/paying", "/paying")).toEqual([200, 429, 200, 429]);
  });
});

describe("requests that shall not count", () => {
  it("skipSuccessfulRequests: only failures count, and who is refused gets nothing back", async () => {
    const { statuses } = await app(perMinute(2, { skipSuccessfulRequests: true }));
    expect(await statuses("/", "/", "/", "/wrong", "/", "/wrong", "/wrong", "/", "/")).toEqual([
      200, 200, 200, 401, 200, 401, 429, 429, 429,
    ]);
    clock.advanceSync(60_000);
    expect(await statuses("/", "/", "/", "/wrong", "/wrong", "/wrong")).toEqual([200, 200, 200, 401, 401, 429]);
  });

  it("skipFailedRequests: a 429 is a failure, too, and frees no place", async () => {
    const { statuses } = await app(perMinute(2, { skipFailedRequests: true }));
    expect(await statuses("/wrong", "/wrong", "/wrong", "/", "/", "/", "/", "/wrong", "/")).toEqual([
      401, 401, 401, 200, 200, 429, 429, 429, 429,
    ]);
  });

  it("nor does a refusal that requestWasSuccessful takes for a success", async () => {
    const { statuses } = await app(
      perMinute(1, {
        skipSuccessfulRequests: true,
        requestWasSuccessful: (_request, response) => response.statusCode !== 401,
      }),
    );
    expect(await statuses("/", "/", "/wrong", "/", "/", "/wrong", "/")).toEqual([200, 200, 401, 429, 429, 429, 429]);
  });

  it("gives back what that request was charged, not the newest", async () => {
    const waiting = new Map<string, () => void>();
    const server = express();
    server.use(rateLimit(perMinute(2, { skipFailedRequests: true })));
    server.use(async (request, response) => {
      const [, name, status] = request.path.split("/");
      if (name !== "now") await new Promise<void>((resolve) => waiting.set(name!, resolve));
      response.status(Number(status)).end();
    });
    const { get, statuses } = await served(createServer(server));
    const arrived = (name: string) => expect.poll(() => waiting.has(name), { interval: 1 }).toBe(true);
    const first = get("/first/500");
    await arrived("first");
    clock.advanceSync(30_000);
    const second = get("/second/200");
    await arrived("second");
    clock.advanceSync(20_000);
    waiting.get("first")!();
    await first;
    waiting.get("second")!();
    await second;
    // The second one counts until 90 s, and had the newest been handed back, it would be the first one until 60 s.
    clock.advanceSync(11_000);
    expect(await statuses("/now/200", "/now/200")).toEqual([200, 429]);
  });
});

describe("the store", () => {
  it("looks, resets and takes back for one key", async () => {
    const mine = sluiceStore({ store });
    const middleware = rateLimit({ ...perMinute(2), store: mine, keyGenerator: () => "me", validate: false });
    const server = express().use(middleware);
    server.use((_request, response) => void response.send("ok"));
    const { times } = await served(createServer(server));
    expect(await middleware.getKey("me")).toBeUndefined();
    expect(await times(3)).toEqual([200, 200, 429]);
    expect(await middleware.getKey("me")).toMatchObject({ totalHits: 2, resetTime: expect.any(Date) });
    await mine.decrement("me");
    expect(await times(2)).toEqual([200, 429]);
    middleware.resetKey("me");
    expect(await middleware.getKey("me")).toBeUndefined();
    expect(await times(3)).toEqual([200, 200, 429]);
  });

  it("is shared by limiters of the same name and numbers, and only by those", async () => {
    const one = await app(perMinute(2));
    const other = await app(perMinute(2));
    const named = await app(perMinute(2, { store: sluiceStore({ store, name: "login" }) }));
    const longer = await app(perMinute(2, { windowMs: 120_000 }));
    expect(await one.times(1)).toEqual([200]);
    expect(await other.times(2)).toEqual([200, 429]);
    expect(await one.times(1)).toEqual([429]);
    expect(await named.times(3)).toEqual([200, 200, 429]);
    expect(await longer.times(3)).toEqual([200, 200, 429]);
  });

  it("is an ordinary limiter, which can be asked and blocked from elsewhere", async () => {
    const { times } = await app(perMinute(2, { keyGenerator: () => "me", store: sluiceStore({ store, name: "api" }) }));
    const limiter = createLimiter({ name: "api", quota: "2/min", store });
    expect(await times(1)).toEqual([200]);
    expect(limiter.peek("me", 0).remaining).toBe(1);
    limiter.block("me", 3_600_000);
    expect(await times(1)).toEqual([429]);
    limiter.reset("me");
    expect(await times(3)).toEqual([200, 200, 429]);
  });

  it("of one request may be behind several limiters, without a complaint", async () => {
    const { times, complaints } = await app(perMinute(3), perMinute(2), perMinute(2, { store: sluiceStore() }));
    expect(await times(3)).toEqual([200, 200, 429]);
    expect(complaints).toEqual([]);
  });

  it("of its own can forget all; one that was given cannot, and stays when the middleware goes", async () => {
    const own = sluiceStore();
    expect(own.localKeys).toBe(true);
    own.init({ windowMs: 60_000, limit: 1 });
    expect(own.increment("a")).toMatchObject({ totalHits: 1 });
    expect(own.increment("a")).toMatchObject({ totalHits: 2 });
    own.resetAll?.();
    expect(own.increment("a")).toMatchObject({ totalHits: 1 });
    own.shutdown();
    expect(own.get("a")).toBeUndefined();

    const over = sluiceStore({ store });
    expect(over.localKeys).toBe(false);
    over.init({ windowMs: 60_000, limit: 1 });
    await over.increment("a");
    expect(over.resetAll).toBeUndefined();
    over.shutdown();
    expect(await over.get("a")).toMatchObject({ totalHits: 1 });
  });

  it("says at once when it is used for two limiters, or for none", async () => {
    const mine = sluiceStore({ store });
    expect(() => mine.increment("a")).toThrow('The store "express-rate-limit" has no window yet');
    mine.init({ windowMs: 60_000, limit: 5 });
    mine.init({ windowMs: 60_000, limit: 5 });
    expect(() => mine.init({ windowMs: 60_000, limit: 100 })).toThrow("A store is for one limiter");
    // The limiter of 100 would let pass what the one of 5 refuses.
    expect(() => mine.increment("a")).toThrow("A store is for one limiter");
  });

  it("fails as a store, not as a limit: an outage is never a 429", async () => {
    const broken = { take: () => Promise.reject(new Error("no disk")), forget: () => undefined } as Store;
    const closed = fallback(broken, "closed");
    for (const each of [broken, closed]) {
      const { times, errors } = await app(perMinute(1, { store: sluiceStore({ store: each }) }));
      expect(await times(2)).toEqual([500, 500]);
      expect(errors).toHaveLength(2);
      const open = await app(perMinute(1, { store: sluiceStore({ store: each }), passOnStoreError: true }));
      expect(await open.times(2)).toEqual([200, 200]);
      expect(open.complaints).toHaveLength(2);
    }
  });

  it("lets no strangers share an empty key", async () => {
    const { times, errors } = await app(perMinute(1, { keyGenerator: () => "" }));
    expect(await times(1)).toEqual([500]);
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining("empty key") })]);
  });

  it("may be a file that processes share", async () => {
    const path = newPath();
    const overFile = () => perMinute(3, { store: sluiceStore({ store: openStore({ path }) }), windowMs: 86_400_000 });
    const one = await app(overFile());
    const other = await app(overFile());
    const all = await Promise.all([one, other, one, other, one, other].map(({ times }) => times(1)));
    expect(all.flat().sort()).toEqual([200, 200, 200, 429, 429, 429]);
    expect(await one.times(1)).toEqual([429]);
  });

  it("may be a file where requests are taken back", async () => {
    const mine = sluiceStore({ store: openStore({ path: newPath() }) });
    const { statuses } = await app(perMinute(2, { store: mine, skipSuccessfulRequests: true }));
    const settled = (count: number) =>
      expect.poll(async () => (await mine.get("127.0.0.1"))?.totalHits ?? 0, { interval: 1 }).toBe(count);
    for (const [path, counted] of [
      ["/", 0],
      ["/wrong", 1],
      ["/", 1],
      ["/wrong", 2],
    ] as const) {
      expect(await statuses(path)).toEqual([path === "/" ? 200 : 401]);
      await settled(counted);
    }
    expect(await statuses("/", "/", "/")).toEqual([429, 429, 429]);
  });
});
