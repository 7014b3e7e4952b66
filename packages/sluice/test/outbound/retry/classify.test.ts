import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classify, type OutcomeClass } from "../../../src/outbound/retry/classify.ts";
import { readFailure } from "../../../src/outbound/retry/failure.ts";

const withFields = (error: Error, fields: object) => Object.assign(error, fields);
const withCode = (code: string, fields: object = {}) => withFields(new Error(code), { code, ...fields });
const failedFetch = (cause: unknown) => new TypeError("fetch failed", { cause });

describe("a status", () => {
  it.each<readonly [OutcomeClass, readonly number[]]>([
    ["ok", [100, 101, 200, 204, 206, 301, 304, 399]],
    ["throttled", [429]],
    ["transient", [408, 425, 500, 502, 504, 520, 521, 522, 524, 599]],
    ["overloaded", [503, 529]],
    ["auth", [401, 403, 407, 511]],
    ["client", [400, 402, 404, 405, 409, 410, 413, 422, 451, 499, 501, 505, 508]],
    ["unknown", [0, 99, 600, 999, -1, Number.NaN]],
  ])("is %s: %j", (expected, statuses) => {
    expect(statuses.map((status) => classify({ status }))).toEqual(statuses.map(() => expected));
  });

  it("is throttled when the response says so: some upstreams answer 403", () => {
    expect(classify({ status: 403, isThrottled: true })).toBe("throttled");
    expect(classify({ status: 503, isThrottled: true })).toBe("throttled");
    expect(classify({ status: 403, isThrottled: false })).toBe("auth");
  });
});

describe("an error", () => {
  it.each<readonly [string, unknown, OutcomeClass]>([
    ["axios", withCode("ERR_BAD_RESPONSE", { response: { status: 503 } }), "overloaded"],
    ["axios, 429", withCode("ERR_BAD_REQUEST", { status: 429, response: { status: 429 } }), "throttled"],
    ["axios, out of time", withFields(withCode("ECONNABORTED"), { name: "AxiosError" }), "transient"],
    ["axios, cancelled", withFields(withCode("ERR_CANCELED"), { name: "CanceledError" }), "unknown"],
    ["axios in a browser", withCode("ERR_NETWORK"), "transient"],
    ["got", withCode("ERR_NON_2XX_3XX_RESPONSE", { response: { statusCode: 502 } }), "transient"],
    ["ky", withFields(new Error("Request failed"), { name: "HTTPError", response: { status: 401 } }), "auth"],
    ["openai", withFields(new Error("429 quota"), { status: 429 }), "throttled"],
    ["superagent", withFields(new Error("Not Found"), { statusCode: 404 }), "client"],
    ["AWS", withFields(new Error("slow down"), { $metadata: { httpStatusCode: 503 } }), "overloaded"],
    ["undici", withCode("UND_ERR_HEADERS_TIMEOUT"), "transient"],
    ["undici, the other side closed", failedFetch(withCode("UND_ERR_SOCKET")), "transient"],
    ["undici, no connection", failedFetch(withCode("UND_ERR_CONNECT_TIMEOUT")), "transient"],
    ["undici, cancelled", withFields(withCode("UND_ERR_ABORTED"), { name: "AbortError" }), "unknown"],
    ["a wrapped one", new Error("price", { cause: new Error("http", { cause: { status: 500 } }) }), "transient"],
    [
      "several addresses",
      failedFetch(new AggregateError([withCode("ETIMEDOUT"), withCode("ENETUNREACH")])),
      "transient",
    ],
    ["a reset connection", withCode("ECONNRESET", { syscall: "read" }), "transient"],
    ["a broken pipe", withCode("EPIPE", { syscall: "write" }), "transient"],
    ["a host without a name", withCode("EAI_AGAIN", { syscall: "getaddrinfo" }), "transient"],
    ["Chrome", new TypeError("Failed to fetch"), "transient"],
    ["Safari", new TypeError("Load failed"), "transient"],
    ["Workers", new Error("Network connection lost."), "transient"],
    ["a time-out by name", new DOMException("out of time", "TimeoutError"), "transient"],
    [
      "a time-out inside an abort",
      new DOMException("out of time", { name: "AbortError", cause: timedOut() } as never),
      "transient",
    ],
    ["an abort", new DOMException("stop", "AbortError"), "unknown"],
    ["a certificate", failedFetch(withCode("CERT_HAS_EXPIRED")), "unknown"],
    ["a mistake", new TypeError("x is not a function"), "unknown"],
    ["a fine status", withFields(new SyntaxError("no JSON"), { status: 200 }), "unknown"],
    ["a status that is text", withFields(new Error("x"), { status: "error" }), "unknown"],
    ["a broken connection, with a status of its own kind", withCode("ECONNRESET", { status: 4290 }), "transient"],
    ["a status that is none", withFields(new Error("x"), { status: 4290 }), "unknown"],
  ])("of %s", (_who, error, expected) => {
    expect(classify({ error })).toBe(expected);
  });

  it("that throws when it is read, has itself as a cause, or is no error at all, is unknown", () => {
    const circle = withFields(new Error("circle"), { errors: [] as unknown[] });
    circle.cause = circle;
    (circle as unknown as { errors: unknown[] }).errors.push(circle, circle);
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error("no");
        },
      },
    );
    for (const error of [circle, hostile, undefined, null, 429, "ECONNRESET", () => {}]) {
      expect(classify({ error })).toBe("unknown");
    }
  });

  it("never makes reading it throw", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (error) => {
        expect(classify({ error })).toBeTypeOf("string");
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("what really is thrown", () => {
  const thrown = async (call: () => Promise<unknown>) =>
    call().then(
      () => undefined,
      (error: unknown) => error,
    );

  it("by fetch where nobody listens: nothing was sent", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    for (const host of ["127.0.0.1", "localhost"]) {
      expect(readFailure(await thrown(() => fetch(`http://${host}:${port}`)))).toEqual({ kind: "unsent" });
    }
  });

  it("by fetch where the connection is dropped: it may have been sent", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    expect(readFailure(await thrown(() => fetch(`http://127.0.0.1:${port}`)))).toEqual({ kind: "lost" });
    await new Promise((resolve) => server.close(resolve));
  });

  it("by an aborted and by an expired signal", async () => {
    const aborted = await thrown(() => fetch("http://127.0.0.1", { signal: AbortSignal.abort() }));
    expect(readFailure(aborted)).toEqual({ kind: "cancelled" });
    const expired = await thrown(() => delay(60_000, 0, { signal: AbortSignal.timeout(1) }));
    expect(readFailure(expired)).toEqual({ kind: "lost" });
  });
});

function timedOut(): DOMException {
  return new DOMException("out of time", "TimeoutError");
}
