import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { manualClock } from "sluice/testing";
import { Response as UndiciResponse } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CoalescerOptions, createCoalescer } from "../../../src/outbound/coalesce/coalescer.ts";

/** What the server does with each request; what was asked, and whose connection the client has closed. */
let answer: (response: ServerResponse, request: IncomingMessage) => void;
let requests: ServerResponse[];
let base: string;
const server = createServer((request, response) => {
  requests.push(response);
  answer(response, request);
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  requests = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function setUp(options: CoalescerOptions = {}) {
  const coalescer = createCoalescer({ clock: manualClock(), ...options });
  const get = (path = "/", runOptions: Parameters<typeof coalescer.run<Response>>[1] = {}) =>
    coalescer.run(path, runOptions, (signal) => fetch(base + path, { signal }));
  return { coalescer, get };
}

const closed = (response: ServerResponse) =>
  new Promise<void>((resolve) => (response.destroyed ? resolve() : response.once("close", resolve)));

describe("a Response", () => {
  it("is one of his own for each caller, with all that it says", async () => {
    answer = (response) =>
      response
        .writeHead(201, "Made", { "content-type": "application/json", "set-cookie": ["a=1", "b=2"] })
        .end('{"price":1}');
    const { get } = setUp();
    const responses = await Promise.all([get("/p"), get("/p"), get("/p")]);
    responses.push(...(await Promise.all([get("/p", { ttlMs: 1_000 })])), await get("/p", { ttlMs: 1_000 }));
    expect(requests).toHaveLength(2);
    for (const response of responses) {
      expect(response).toBeInstanceOf(Response);
      expect(response).toMatchObject({ status: 201, statusText: "Made", url: `${base}/p`, redirected: false });
      expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
      response.headers.set("x-mine", "yes");
      expect(response.bodyUsed).toBe(false);
      expect(await response.json()).toEqual({ price: 1 });
    }
    expect(new Set(responses).size).toBe(5);
  });

  it("has bytes of his own for each caller", async () => {
    answer = (response) => response.end("abc");
    const { get } = setUp();
    const [first, second] = await Promise.all([get(), get()]);
    new Uint8Array(await first.arrayBuffer()).fill(0);
    expect(await second.text()).toBe("abc");
  });

  it("that nobody reads holds no connection, and no memory beyond the one that is kept", async () => {
    answer = (response) => response.end("x".repeat(200_000));
    const { get, coalescer } = setUp();
    for (let i = 0; i < 20; i++) await get("/", { ttlMs: 1_000 });
    expect(coalescer.stats()).toMatchObject({ kept: 1, bytes: 200_000, started: 1, hits: 19 });
    // The body came in to the end though nobody has read it.
    await closed(requests[0]!);
    expect(requests[0]!.writableFinished).toBe(true);
  });

  it.each([204, 205, 304])("without a body is shared too (%i)", async (status) => {
    answer = (response) => response.writeHead(status, { etag: '"a"' }).end();
    const { get } = setUp();
    const responses = await Promise.all([get(), get()]);
    expect(requests).toHaveLength(1);
    for (const response of responses) {
      expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([status, '"a"', ""]);
    }
  });

  it.each([404, 429, 500])("of an error goes to those who wait, and is not kept (%i)", async (status) => {
    answer = (response) => response.writeHead(status).end("no");
    const { get } = setUp();
    const responses = await Promise.all([get("/", { ttlMs: 1_000 }), get("/", { ttlMs: 1_000 })]);
    expect(requests).toHaveLength(1);
    for (const response of responses) expect([response.status, await response.text()]).toEqual([status, "no"]);
    await get("/", { ttlMs: 1_000 });
    expect(requests).toHaveLength(2);
  });

  it("of another fetch stays of its kind", async () => {
    const { coalescer } = setUp();
    const start = async () => new UndiciResponse("abc");
    const responses = await Promise.all([coalescer.run("k", {}, start), coalescer.run("k", {}, start)]);
    for (const response of responses) {
      expect(response).toBeInstanceOf(UndiciResponse);
      expect(await response.text()).toBe("abc");
    }
  });

  it("whose connection breaks in the body is an error for all", async () => {
    answer = (response) => {
      response.writeHead(200, { "content-length": "100" }).write("abc");
      setImmediate(() => response.destroy());
    };
    const { get } = setUp();
    const outcomes = await Promise.allSettled([get(), get()]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  it("stops coming in when all have left", async () => {
    const asked = Promise.withResolvers<void>();
    answer = (response) => {
      response.writeHead(200).write("abc", () => asked.resolve());
    };
    const { get } = setUp();
    const controller = new AbortController();
    const outcome = get("/", { signal: controller.signal });
    await asked.promise;
    controller.abort("enough");
    await expect(outcome).rejects.toBe("enough");
    await closed(requests[0]!);
    expect(requests[0]!.writableFinished).toBe(false);
  });
});

/** Answers the first request bit by bit, as told, and the others at once. */
function stepwise(headers: Record<string, string>) {
  answer = (response) => {
    if (requests.length === 1) response.writeHead(200, headers).write("first ");
    else response.end("another");
  };
  return { go: (text: string) => requests[0]!.write(text), end: () => requests[0]!.end() };
}

describe("a Response that is too long or a stream", () => {
  it.each([
    ["a stream by its type", { "content-type": "text/event-stream; charset=utf-8" }, 1_000],
    ["long by its header", { "content-length": "12" }, 11],
    ["long as it turns out", {}, 5],
  ])("goes to one caller as it comes in, and the others make their own calls: %s", async (_, headers, maxBodyBytes) => {
    const { end, go } = stepwise(headers as Record<string, string>);
    const { get, coalescer } = setUp({ maxBodyBytes });
    const [first, second] = await Promise.all([get("/", { ttlMs: 1_000 }), get("/", { ttlMs: 1_000 })]);
    expect(requests).toHaveLength(2);
    const reader = first.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("first ");
    go("second");
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("second");
    end();
    expect((await reader.read()).done).toBe(true);
    expect(await second.text()).toBe("another");
    expect(coalescer.stats()).toMatchObject({ kept: 0, started: 2 });
  });

  it("ends when the signal of the caller who has it aborts, with his reason", async () => {
    stepwise({ "content-type": "text/event-stream" });
    const { get } = setUp();
    const controller = new AbortController();
    const response = await get("/", { signal: controller.signal });
    const reader = response.body!.getReader();
    await reader.read();
    controller.abort(new Error("enough"));
    await expect(reader.read()).rejects.toThrow("enough");
    await closed(requests[0]!);
  });

  it("goes to the first of those who are still there", async () => {
    stepwise({ "content-type": "text/event-stream" });
    const { get } = setUp();
    const controller = new AbortController();
    const left = get("/", { signal: controller.signal });
    const stays = get("/", { signal: new AbortController().signal });
    controller.abort("enough");
    await expect(left).rejects.toBe("enough");
    const reader = (await stays).body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("first ");
    expect(requests).toHaveLength(1);
    await reader.cancel();
  });

  it("never seems to have ended when it was aborted, even if the call does not care for its signal", async () => {
    const { coalescer } = setUp();
    const controller = new AbortController();
    const response = await coalescer.run(
      "k",
      { signal: controller.signal },
      async () => new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } }),
    );
    const read = response.text();
    controller.abort(new Error("enough"));
    await expect(read).rejects.toThrow("enough");
  });

  it("lets go of its connection when its reader does", async () => {
    stepwise({ "content-type": "text/event-stream" });
    const { get } = setUp();
    const response = await get();
    await response.body!.cancel();
    await closed(requests[0]!);
  });
});

it("hands a Response that was read already, or that cannot be made anew, to one caller", async () => {
  const { coalescer } = setUp();
  let calls = 0;
  const start = async () => (++calls === 1 ? Response.error() : new Response("own"));
  const [first, second] = await Promise.all([coalescer.run("k", {}, start), coalescer.run("k", {}, start)]);
  expect([first.type, await second.text(), calls]).toEqual(["error", "own", 2]);
});

it("cancels a body that nobody waits for any more, even when the call itself does not care for its signal", async () => {
  const { coalescer } = setUp();
  const controller = new AbortController();
  const cancelled = Promise.withResolvers<unknown>();
  const body = new ReadableStream({ cancel: cancelled.resolve });
  const left = coalescer.run("k", { signal: controller.signal }, async () => new Response(body));
  await new Promise(setImmediate);
  controller.abort("enough");
  await expect(left).rejects.toBe("enough");
  expect(await cancelled.promise).toBe("enough");
});
