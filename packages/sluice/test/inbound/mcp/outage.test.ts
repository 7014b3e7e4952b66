import { fallback, localShare, type Store } from "sluice";
import { limitFetch, limitTool, limitTransport, type McpRateLimitOptions, readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { settled } from "../../limiter/held-store.ts";
import { faultyStore } from "../../stores/faulty-store.ts";

const unhandled = vi.fn();
beforeEach(() => void process.on("unhandledRejection", unhandled));
afterEach(async () => {
  await settled();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

const LIMITS = { tools: { echo: ["10/min", { concurrency: 2 }] }, methods: { "resources/read": "10/min" } } as const;
const UNAVAILABLE = "The rate limiter of this server is unavailable, so this call was not run.";
const DATA = { rate_limited: false, retryAfterMs: 1000, remaining: 0 };

function dead() {
  const clock = manualClock();
  const faulty = faultyStore(clock);
  faulty.health = "down";
  return { clock, faulty };
}

/** A transport whose both ends are lists. */
function connected(options: Omit<McpRateLimitOptions, "tools" | "methods">) {
  const delivered: any[] = [];
  const sent: any[] = [];
  const transport: any = { send: async (message: any) => void sent.push(message), close: async () => {} };
  limitTransport(transport, { ...LIMITS, ...options });
  transport.onmessage = (message: any) => void delivered.push(message);
  const request = async (id: number, method = "tools/call", params: object = { name: "echo", arguments: {} }) => {
    transport.onmessage({ jsonrpc: "2.0", id, method, params });
    await settled();
  };
  return { transport, delivered, sent, request };
}

describe("a dead store, closed", () => {
  it("refuses a tool in words for a model, and other requests with the code 503, never 429", async () => {
    const { faulty } = dead();
    const { delivered, sent, request } = connected({ store: fallback(faulty, "closed") });
    await request(1);
    await request(2, "resources/read", { uri: "x:" });
    expect(sent).toMatchObject([
      { id: 1, result: { isError: true, content: [{ text: expect.stringContaining(UNAVAILABLE) }] } },
      { id: 2, error: { code: 503, message: expect.stringContaining(UNAVAILABLE), data: DATA } },
    ]);
    expect(sent[0].result.content[0].text).toContain("Wait 1 second, then repeat this call once.");
    expect(readRefusal(sent[0].result)).toMatchObject(DATA);
    expect(delivered).toEqual([]);
    faulty.health = "up";
    await request(3);
    expect(delivered).toMatchObject([{ id: 3 }]);
  });

  it("has no code for a limit that was not reached, whatever code limits have", async () => {
    const { sent, request } = connected({
      store: fallback(dead().faulty, "closed"),
      errorCode: -32_000,
      refusal: "error",
    });
    await request(1);
    expect(sent).toMatchObject([{ id: 1, error: { code: 503, data: DATA } }]);
  });

  it("lets calls that may wait pass when the store is back", async () => {
    const { clock, faulty } = dead();
    const { delivered, request } = connected({ store: fallback(faulty, "closed"), wait: { maxWaitMs: 3000 } });
    await request(1);
    await clock.advance(1500);
    expect(delivered).toEqual([]);
    faulty.health = "up";
    await clock.advance(500);
    await settled();
    expect(delivered).toMatchObject([{ id: 1 }]);
  });

  it.each([
    [200, 200],
    [429, 503],
  ] as const)("over HTTP with refusals on %i answers %i with Retry-After", async (httpStatus, status) => {
    const handler = vi.fn();
    const fetch = limitFetch(handler, {
      ...LIMITS,
      store: fallback(dead().faulty, "closed"),
      client: () => "me",
      httpStatus,
    });
    const response = await fetch(post());
    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.has("ratelimit")).toBe(false);
    expect(await response.json()).toMatchObject({ id: 1, result: { isError: true } });
    expect(handler).not.toHaveBeenCalled();
  });

  it("does not run a tool that is limited by itself", async () => {
    const run = vi.fn(async () => ({ content: [] }));
    const tool = limitTool({ tool: "echo", limit: "1/min", store: fallback(dead().faulty, "closed") }, run);
    expect(await tool()).toMatchObject({ isError: true, content: [{ text: expect.stringContaining(UNAVAILABLE) }] });
    expect(run).not.toHaveBeenCalled();
  });
});

it("a dead store, open: requests pass", async () => {
  const { delivered, sent, request } = connected({ store: fallback(dead().faulty, "open") });
  for (let id = 0; id < 20; id++) await request(id);
  expect(delivered).toHaveLength(20);
  expect(sent).toEqual([]);
});

it("a dead store, a local share: requests pass within the share", async () => {
  const { delivered, sent, request } = connected({ store: fallback(dead().faulty, localShare(5)) });
  for (let id = 0; id < 4; id++) await request(id, "resources/read", { uri: "x:" });
  expect(delivered).toHaveLength(2);
  expect(sent).toMatchObject([2, 3].map((id) => ({ id, error: { code: 503, data: DATA } })));
});

describe("a dead store without a fallback", () => {
  it("is an internal error of the server, over a transport and over HTTP, and nothing is run", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const { faulty } = dead();
    const { delivered, sent, request } = connected({ store: faulty });
    await request(1);
    expect(sent).toMatchObject([{ id: 1, error: { code: -32_603 } }]);
    const handler = vi.fn();
    const response = await limitFetch(handler, { ...LIMITS, store: faulty, client: () => "me" })(post());
    expect(await response.json()).toMatchObject({ error: { code: -32_603 } });
    expect(delivered).toEqual([]);
    expect(handler).not.toHaveBeenCalled();
  });

  it("is an error of the tool, for the host to report", async () => {
    const { faulty } = dead();
    const run = vi.fn(async () => ({ content: [] }));
    await expect(limitTool({ tool: "echo", limit: "1/min", store: faulty }, run)()).rejects.toBe(faulty.error);
    expect(run).not.toHaveBeenCalled();
  });

  it("holds places no longer than their lease when it dies while a call runs", async () => {
    const clock = manualClock();
    const faulty = faultyStore(clock);
    const { transport, delivered, sent, request } = connected({ store: faulty as Store });
    await request(1);
    await request(2);
    expect(delivered).toHaveLength(2);
    faulty.health = "down";
    for (const id of [1, 2]) await transport.send({ jsonrpc: "2.0", id, result: {} });
    await clock.advance(61_000);
    faulty.health = "up";
    await request(3);
    expect(delivered).toHaveLength(3);
    expect(sent).toHaveLength(2);
  });
});

function post(): Request {
  return new Request("http://localhost/mcp", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } }),
  });
}
