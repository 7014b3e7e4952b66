import { memoryStore } from "sluice";
import { createUpstreams, limitHosts, OutboundError, type UpstreamOptions } from "sluice/outbound";
import { manualClock } from "sluice/testing";
import { Agent, type Dispatcher, getGlobalDispatcher, request, setGlobalDispatcher } from "undici";
import { afterEach, describe, expect, it, vi } from "vitest";
import { loopback, until } from "./loopback.ts";

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(options: UpstreamOptions, answer?: Parameters<typeof loopback>[0]) {
  const clock = manualClock();
  const server = await loopback(answer);
  const upstreams = createUpstreams({ fake: options }, { store: memoryStore({ clock }) });
  // The types of undici itself: this is what compose takes.
  const interceptor: Dispatcher.DispatcherComposeInterceptor = limitHosts(upstreams, { "127.0.0.1": "fake" });
  const agent = new Agent();
  const dispatcher = agent.compose(interceptor);
  cleanup.push(server.close, () => agent.close());
  const get = (path: string, more = {}) => request(server.origin + path, { dispatcher, ...more });
  return { clock, server, fake: upstreams.fake, upstreams, dispatcher, get };
}

const failed = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("It did not fail."),
    (error: Error) => error,
  );

describe("request of undici", () => {
  it("waits for its turn, and is made as if nothing stood between", async () => {
    const { clock, server, fake, get } = await start({ limit: "1/10s" });
    expect(await (await get("/1")).body.text()).toBe("said /1");
    const second = get("/2", { method: "POST", body: "posted" });
    expect(fake.stats().waiting).toBe(1);
    expect(server.seen).toEqual(["/1"]);
    await clock.advance(10_000);
    const { statusCode, headers, body } = await second;
    expect(statusCode).toBe(200);
    expect(headers).toHaveProperty("content-length");
    expect(await body.text()).toBe("said /2");
    expect(fake.stats()).toMatchObject({ waiting: 0, started: 2 });
  });

  it("fails with the refusal", async () => {
    const { server, fake, get } = await start({ limit: "1/min", maxWaitMs: 1_000 });
    await (await get("/1")).body.dump();
    expect(await failed(get("/2"))).toMatchObject({ name: "OutboundError", reason: "deadline", retryAfterMs: 59_000 });
    expect(server.seen).toEqual(["/1"]);
    expect(fake.stats().refused).toBe(1);
  });

  it("leaves the queue when its signal aborts, with the signal's reason, once", async () => {
    const { server, fake, get, clock } = await start({ limit: "1/10s" });
    await (await get("/1")).body.dump();
    const leaving = new AbortController();
    const left = failed(get("/2", { signal: leaving.signal }));
    expect(fake.stats().waiting).toBe(1);
    leaving.abort(new Error("enough"));
    expect((await left).message).toBe("enough");
    expect(fake.stats().waiting).toBe(0);
    await clock.advance(10_000);
    expect(server.seen).toEqual(["/1"]);
  });

  it("does not queue what is aborted already", async () => {
    const { server, fake, get } = await start({ limit: "10/min" });
    const reason = new Error("never wanted");
    expect(await failed(get("/1", { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(fake.stats()).toMatchObject({ waiting: 0, started: 0 });
    expect(server.seen).toEqual([]);
  });

  it("can be aborted while it is made; that says nothing of the upstream", async () => {
    const { server, fake, get } = await start({ breaker: { minimumCalls: 1, failureRate: 0.01 } });
    const leaving = new AbortController();
    const left = failed(get("/never", { signal: leaving.signal }));
    await until(() => server.seen.length === 1);
    leaving.abort(new Error("enough"));
    expect((await left).message).toBe("enough");
    await until(() => fake.stats().running === 0);
    expect(fake.stats().breaker).toMatchObject({ state: "closed" });
  });

  it("holds its place until its body has been read", async () => {
    const { server, fake, get } = await start({ concurrency: 1 }, (_, response) => {
      response.writeHead(200);
      response.end("x".repeat(2 ** 20));
    });
    const first = await get("/1");
    const second = get("/2");
    expect(fake.stats()).toMatchObject({ running: 1, waiting: 1 });
    expect(server.seen).toEqual(["/1"]);
    expect((await first.body.text()).length).toBe(2 ** 20);
    await (await second).body.dump();
    await until(() => fake.stats().running === 0);
    expect(server.seen).toEqual(["/1", "/2"]);
  });

  it("is not taken to have ended by a response of 1xx", async () => {
    const { fake, get } = await start({ concurrency: 1 }, (request, response) => {
      if (request.url === "/hints") response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    });
    const onInfo = vi.fn();
    const { statusCode, body } = await get("/hints", { onInfo });
    expect([statusCode, await body.text()]).toEqual([200, "said /hints"]);
    expect(onInfo).toHaveBeenCalledTimes(1);
    await until(() => fake.stats().running === 0);
  });
});

describe("what responses say", () => {
  it("pauses all calls, and is not tried again", async () => {
    const { clock, server, fake, get } = await start({}, (_, response) => {
      response.writeHead(429, { "retry-after": "30" }).end("too many");
    });
    const { statusCode, body } = await get("/1");
    expect([statusCode, await body.text()]).toEqual([429, "too many"]);
    await until(() => fake.stats().pausedForMs > 0);
    expect(fake.stats()).toMatchObject({ pausedForMs: 30_000, retried: 0 });
    await clock.advance(60_000);
    expect(server.seen).toEqual(["/1"]);
  });

  it("opens the breaker, and so does a connection that is lost", async () => {
    for (const answer of ["status", "lost"]) {
      const { fake, get } = await start({ breaker: { minimumCalls: 5 } }, (request, response) => {
        if (answer === "lost") request.socket.destroy();
        else response.writeHead(500).end();
      });
      for (let i = 0; i < 40 && fake.stats().breaker?.state === "closed"; i++) {
        await get(`/${i}`).then(
          ({ body }) => body.dump(),
          () => {},
        );
      }
      expect(fake.stats().breaker?.state).toBe("open");
      expect(await failed(get("/refused"))).toMatchObject({ reason: "breaker-open" });
    }
  });
});

it("stops requests that take longer than the upstream's timeoutMs", async () => {
  const { clock, server, fake, get } = await start({ timeoutMs: 5_000 });
  const late = failed(get("/never"));
  await until(() => server.seen.length === 1);
  await clock.advance(5_000);
  expect(await late).toMatchObject({ name: "TimeoutError" });
  expect(fake.stats().running).toBe(0);
});

describe("fetch of Node, over the global dispatcher", () => {
  async function startGlobal(options: UpstreamOptions, answer?: Parameters<typeof loopback>[0]) {
    const before = getGlobalDispatcher();
    const started = await start(options, answer);
    setGlobalDispatcher(started.dispatcher);
    cleanup.push(() => setGlobalDispatcher(before));
    const other = await loopback();
    cleanup.push(other.close);
    return { ...started, elsewhere: other.origin.replace("127.0.0.1", "localhost") };
  }

  it("waits, and shows a refusal as the cause", async () => {
    const { clock, server, fake } = await startGlobal({ limit: "1/10s", maxQueue: 1 });
    expect(await (await fetch(`${server.origin}/1`)).text()).toBe("said /1");
    const second = fetch(`${server.origin}/2`, { method: "POST", body: "posted" });
    await until(() => fake.stats().waiting === 1);
    const refused = await failed(fetch(`${server.origin}/3`));
    expect(refused).toBeInstanceOf(TypeError);
    expect(refused.cause).toBeInstanceOf(OutboundError);
    expect(refused.cause).toMatchObject({ upstream: "fake", reason: "queue-full" });
    await clock.advance(10_000);
    expect(await (await second).text()).toBe("said /2");
    expect(server.seen).toEqual(["/1", "/2"]);
  });

  it("leaves the queue when it is aborted", async () => {
    const { clock, server, fake } = await startGlobal({ limit: "1/10s" });
    await (await fetch(`${server.origin}/1`)).text();
    const leaving = new AbortController();
    const left = failed(fetch(`${server.origin}/2`, { signal: leaving.signal }));
    await until(() => fake.stats().waiting === 1);
    leaving.abort();
    expect((await left).name).toBe("AbortError");
    await until(() => fake.stats().waiting === 0);
    await clock.advance(10_000);
    expect(server.seen).toEqual(["/1"]);
  });

  it("limits each hop of a redirect, and lets hosts pass that are not named", async () => {
    const { server, fake, elsewhere } = await startGlobal({ limit: "2/min", maxWaitMs: 0 }, (request, response) => {
      if (request.url === "/from") response.writeHead(302, { location: "/to" }).end();
    });
    expect(await (await fetch(`${server.origin}/from`)).text()).toBe("said /to");
    expect(server.seen).toEqual(["/from", "/to"]);
    await failed(fetch(`${server.origin}/3`));
    for (let i = 0; i < 5; i++) expect(await (await fetch(`${elsewhere}/x`)).text()).toBe("said /x");
    expect(fake.stats().started).toBe(2);
  });
});

it("tells handlers of older versions of undici that they are", async () => {
  const { dispatcher, server } = await start({});
  const old = { onConnect() {}, onHeaders: () => true, onData: () => true, onComplete() {}, onError() {} };
  expect(() =>
    dispatcher.dispatch({ origin: server.origin, path: "/", method: "GET" }, old as Dispatcher.DispatchHandler),
  ).toThrow(/from version 8 on.*"onConnect"/);
});

it("hands on what a dispatcher throws", async () => {
  const { dispatcher, server, fake } = await start({});
  const onResponseError = vi.fn();
  const handler = { onRequestStart() {}, onResponseError };
  dispatcher.dispatch({ origin: server.origin, path: "no path", method: "GET" }, handler);
  expect(onResponseError).toHaveBeenCalledTimes(1);
  await until(() => fake.stats().running === 0);
});
