import { describe, expect, it } from "vitest";
import { mayRepeat } from "../../../src/outbound/retry/may-repeat.ts";

const withCode = (code: string, fields: object = {}) => ({
  error: Object.assign(new Error(code), { code, ...fields }),
});
const LOST = withCode("ECONNRESET", { syscall: "read" });

describe("by what the call is", () => {
  it.each(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "get", "Delete"])("repeats %s", (method) => {
    expect(mayRepeat({ method }, LOST)).toBe(true);
    expect(mayRepeat({ method }, { status: 503 })).toBe(true);
  });

  it.each(["POST", "PATCH", "CONNECT", "post", "BREW", "", undefined])("does not repeat %s", (method) => {
    expect(mayRepeat({ method }, LOST)).toBe(false);
    expect(mayRepeat({ method }, { status: 500 })).toBe(false);
    expect(mayRepeat({ method }, { status: 504 })).toBe(false);
  });

  it("repeats what carries an Idempotency-Key, and what the caller calls idempotent", () => {
    expect(mayRepeat({ method: "POST", hasIdempotencyKey: true }, LOST)).toBe(true);
    expect(mayRepeat({ method: "POST", idempotent: true }, LOST)).toBe(true);
    expect(mayRepeat({ idempotent: true }, LOST)).toBe(true);
  });

  it("believes the caller more than the method", () => {
    expect(mayRepeat({ method: "GET", idempotent: false }, LOST)).toBe(false);
  });
});

describe("by what became of it: a POST", () => {
  const post = { method: "POST" };

  it.each([
    withCode("ECONNREFUSED"),
    withCode("ENOTFOUND"),
    withCode("EAI_AGAIN"),
    withCode("UND_ERR_CONNECT_TIMEOUT"),
    withCode("ETIMEDOUT", { syscall: "connect" }),
    withCode("EHOSTUNREACH", { syscall: "connect" }),
    { error: new TypeError("fetch failed", { cause: withCode("ECONNREFUSED").error }) },
    {
      error: new AggregateError([
        withCode("ECONNREFUSED").error,
        withCode("ENETUNREACH", { syscall: "connect" }).error,
      ]),
    },
  ])("that was not sent is repeated: %j", (outcome) => {
    expect(mayRepeat(post, outcome)).toBe(true);
  });

  it.each([
    withCode("ETIMEDOUT", { syscall: "read" }),
    withCode("ETIMEDOUT"),
    withCode("EPIPE"),
    withCode("UND_ERR_HEADERS_TIMEOUT"),
    withCode("UND_ERR_SOCKET"),
    { error: new DOMException("out of time", "TimeoutError") },
    { error: new AggregateError([withCode("ECONNREFUSED").error, withCode("ECONNRESET").error]) },
    { error: new AggregateError([withCode("ECONNREFUSED").error, new Error("?")]) },
    { error: new Error("?") },
  ])("that may have arrived is not: %j", (outcome) => {
    expect(mayRepeat(post, outcome)).toBe(false);
  });

  it("that met a limit is repeated: it was turned away", () => {
    expect(mayRepeat(post, { status: 429 })).toBe(true);
    expect(mayRepeat({ ...post, idempotent: false }, { status: 429 })).toBe(true);
    expect(mayRepeat(post, { error: Object.assign(new Error(), { response: { status: 429 } }) })).toBe(true);
    expect(mayRepeat(post, { status: 403, isThrottled: true })).toBe(true);
    expect(mayRepeat(post, { status: 425 })).toBe(true);
  });

  it("that got a 503 is not, with a time or without: some of the work may be done", () => {
    expect(mayRepeat(post, { status: 503 })).toBe(false);
    expect(mayRepeat(post, { status: 503, isThrottled: true })).toBe(false);
    expect(mayRepeat(post, { error: Object.assign(new Error(), { status: 503 }) })).toBe(false);
    expect(mayRepeat({ ...post, hasIdempotencyKey: true }, { status: 503 })).toBe(true);
  });
});
