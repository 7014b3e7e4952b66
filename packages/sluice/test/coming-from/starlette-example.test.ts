import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createLimiter, type MemoryStore, memoryStore } from "sluice";
import { limitFetch, limitTool, type McpRateLimitOptions, readRefusal } from "sluice/mcp";
import { type NodeRateLimitOptions, rateLimit } from "sluice/node";
import { type ManualClock, manualClock } from "sluice/testing";
import { rateLimit as limitWeb } from "sluice/web";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// The published example "FastMCP + Starlette": its service, its HTTP middleware and its decorator for tools.

let clock: ManualClock;
let store: MemoryStore;
const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
});
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

describe("RateLimiterService.check_and_record(client_id, limit, window)", () => {
  /** The call as the example makes it: limit and window may come with every call, because the state is in the store. */
  const check = (client: string, limit = 10, window = 60) =>
    createLimiter({ quota: `${limit}/${window}s`, store }).consume(client);

  it("counts what is left, and gives `reset` and `retry_after`", () => {
    // theirs: (True, {"limit": 3, "remaining": 2, "reset": now + 10, "retry_after": 0})
    expect(check("a", 3, 10)).toMatchObject({
      allowed: true,
      limit: 3,
      remaining: 2,
      resetAfterMs: 10_000,
      retryAfterMs: 0,
    });
    clock.advanceSync(1000);
    expect(check("a", 3, 10)).toMatchObject({ allowed: true, remaining: 1, resetAfterMs: 10_000, retryAfterMs: 0 });
    clock.advanceSync(1000);
    expect(check("a", 3, 10)).toMatchObject({ allowed: true, remaining: 0, resetAfterMs: 10_000, retryAfterMs: 0 });
    clock.advanceSync(2000);
    // theirs: (False, {"limit": 3, "remaining": 0, "reset": oldest + 10 = now + 6, "retry_after": 6})
    expect(check("a", 3, 10)).toMatchObject({ allowed: false, limit: 3, remaining: 0, retryAfterMs: 6000 });
    clock.advanceSync(6000);
    expect(check("a", 3, 10)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it("says besides when all is as at first, which is later than the next free place", () => {
    for (const _ of "abc") {
      check("a", 3, 10);
      clock.advanceSync(1000);
    }
    expect(check("a", 3, 10)).toMatchObject({ allowed: false, retryAfterMs: 7000, resetAfterMs: 9000 });
  });

  it("test_rate_limiter_allows_within_limit", () => {
    expect([1, 2, 3, 4].map(() => check("client1", 3, 10).allowed)).toEqual([true, true, true, false]);
  });

  it("test_rate_limiter_isolates_clients", () => {
    expect([1, 2].map(() => check("client1", 1, 10).allowed)).toEqual([true, false]);
    expect(check("client2", 1, 10).allowed).toBe(true);
  });

  it("does not record what it denies", () => {
    check("a", 1, 10);
    for (let i = 0; i < 9; i++) {
      clock.advanceSync(1000);
      expect(check("a", 1, 10).allowed).toBe(false);
    }
    clock.advanceSync(1000);
    expect(check("a", 1, 10).allowed).toBe(true);
  });

  it("get_stats is `peek`, and takes nothing", () => {
    const limiter = createLimiter({ quota: "10/min", store });
    limiter.consume("a", 4);
    expect(limiter.peek("a", 0)).toMatchObject({ limit: 10, remaining: 6 });
    expect(limiter.peek("a", 0)).toMatchObject({ limit: 10, remaining: 6 });
  });

  it("one log per client for all limits loses calls of the longer window; several quotas on one key do not", () => {
    const limiter = createLimiter({ quota: ["3/10s", "5/min"], store });
    const answers: boolean[] = [];
    for (let i = 0; i < 7; i++) {
      answers.push(limiter.consume("a").allowed);
      clock.advanceSync(8000);
    }
    // In one list per client, the check with window=10 throws away what the check with window=60 must still count.
    expect(answers).toEqual([true, true, true, true, true, false, false]);
    expect(limiter.consume("a")).toMatchObject({ allowed: false, quota: "per-minute", retryAfterMs: 4000 });
  });

  it("a limit of 0 is an error: theirs takes the default instead", () => {
    expect(() => check("a", 0, 10)).toThrow("limit must be a whole number of at least 1, but it is 0.");
  });
});

describe("RateLimitMiddleware(limit=20, window=60)", () => {
  async function start(options: Partial<NodeRateLimitOptions> = {}): Promise<(path?: string) => Promise<Response>> {
    const pages = rateLimit((_request, response) => response.end("ok"), { quota: "20/min", store, ...options } as any);
    const server = createServer((request, response) =>
      request.url === "/health" ? response.end("ok") : pages(request, response),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanup.push(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    return (path = "/") => fetch(`http://127.0.0.1:${port}${path}`);
  }

  it("lets 20 requests a minute through for an address, with X-RateLimit headers, and answers 429 beyond", async () => {
    const get = await start();
    for (let i = 1; i <= 20; i++) {
      const { status, headers } = await get(i % 2 ? "/" : "/stats");
      expect([status, headers.get("x-ratelimit-limit"), headers.get("x-ratelimit-remaining")]).toEqual([
        200,
        "20",
        `${20 - i}`,
      ]);
      clock.advanceSync(500);
    }
    const refused = await get();
    expect(refused.status).toBe(429);
    // 10 s have passed since the first request. In seconds from now, where theirs is the time since 1970.
    expect(refused.headers.get("retry-after")).toBe("50");
    expect(refused.headers.get("x-ratelimit-reset")).toBe("50");
    expect(refused.headers.get("x-ratelimit-remaining")).toBe("0"); // theirs has these headers on allowed requests only
    clock.advanceSync(50_000);
    expect((await get()).status).toBe(200);
  });

  it("never says Retry-After: 0, where rounding down does for the last second", async () => {
    const get = await start({ quota: "1/10s" });
    await get();
    clock.advanceSync(9_500);
    const refused = await get();
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ retry_after_ms: 500 });
  });

  it("leaves the health check alone", async () => {
    const get = await start({ quota: "1/h" });
    await get();
    expect((await get()).status).toBe(429);
    expect((await get("/health")).status).toBe(200);
  });

  it("can answer with the body of the example", async () => {
    const get = await start({
      quota: "1/min",
      onRefused: ({ decision: { limit, retryAfterMs } }, _request, response) => {
        const retry_after = retryAfterMs / 1000;
        const message = `Too many requests. Retry after ${retry_after.toFixed(1)}s`;
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ error: "Rate limit exceeded", message, limit, window: 60, retry_after }));
      },
    });
    await get();
    clock.advanceSync(500);
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("60");
    expect(await refused.json()).toEqual({
      error: "Rate limit exceeded",
      message: "Too many requests. Retry after 59.5s",
      limit: 1,
      window: 60,
      retry_after: 59.5,
    });
  });

  it("has no bucket that all unknown clients share", async () => {
    const handler = limitWeb(() => new Response("ok"), { quota: "1/min", store, address: () => undefined });
    await expect(handler(new Request("http://localhost/"))).rejects.toThrow("cannot be told from others");
  });
});

describe("rate_limit_mcp_tool(limit=3, window=10)", () => {
  const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });
  const limited = (tool: string, limit: string, options: Partial<McpRateLimitOptions> = {}) =>
    limitTool({ tool, limit, store, ...options }, async (_args: object, _context?: object) => text(tool));

  it("lets three calls through in ten seconds, and returns the fourth as rate limited", async () => {
    const getTime = limited("get_time", "3/10s");
    for (let i = 0; i < 3; i++) expect(await getTime({})).toEqual(text("get_time"));
    clock.advanceSync(4000);
    const refused: any = await getTime({});
    expect(readRefusal(refused)).toMatchObject({ rate_limited: true, retryAfterMs: 6000, limit: 3, remaining: 0 });
    expect(refused.content[0].text).toContain('the tool "get_time" may be used 3 per 10 seconds');
    clock.advanceSync(6000);
    expect(await getTime({})).toEqual(text("get_time"));
  });

  it("returns an error, where a plain dict is a success that may break the tool's output schema", async () => {
    const getTime = limited("get_time", "1/10s");
    await getTime({});
    const refused: any = await getTime({});
    expect(refused.isError).toBe(true);
    expect(refused).not.toHaveProperty("structuredContent");
  });

  it("gives each tool a limit of its own, where theirs has one log per session for all tools", async () => {
    const getTime = limited("get_time", "3/10s");
    const heavy = limited("heavy_operation", "10/min");
    for (let i = 0; i < 3; i++) await heavy({});
    expect(readRefusal(await getTime({}))).toBeUndefined();
    for (let i = 0; i < 2; i++) await getTime({});
    expect(readRefusal(await getTime({}))).toBeDefined();
    expect(readRefusal(await heavy({}))).toBeUndefined();
  });

  it("is not dodged by a new session, where a session is the whole key", async () => {
    const fetch = limitFetch(async (_request: Request) => Response.json({ jsonrpc: "2.0", id: 1, result: {} }), {
      store,
      tools: { get_time: "3/10s" },
      address: () => "192.0.2.1",
    });
    const answers: boolean[] = [];
    for (let session = 1; session <= 5; session++) {
      const response = await fetch(
        new Request("http://localhost/mcp", {
          method: "POST",
          headers: { "mcp-session-id": `session-${session}` },
          body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "get_time" } }),
        }),
      );
      answers.push(readRefusal((await response.json()).result) === undefined);
    }
    expect(answers).toEqual([true, true, true, false, false]);
  });

  it("can be counted by session, beside a limit of the client", async () => {
    const handler = limited("get_time", "1/10s", { client: ({ sessionId }) => sessionId ?? "none" });
    const context = (sessionId: string) => ({ sessionId, requestInfo: { headers: {} } });
    expect(readRefusal(await handler({}, context("a")))).toBeUndefined();
    expect(readRefusal(await handler({}, context("a")))).toBeDefined();
    expect(readRefusal(await handler({}, context("b")))).toBeUndefined();
  });
});
