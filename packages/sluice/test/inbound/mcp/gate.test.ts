import { memoryStore, type Store } from "sluice";
import { readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { fakeTransport, setup } from "./fake-transport.ts";

afterEach(() => vi.restoreAllMocks());

describe("what is never blocked", () => {
  const never = [
    "server/discover",
    "ping",
    "logging/setLevel",
    "tasks/cancel",
    "tasks/update",
    "resources/unsubscribe",
    // Only under limits that name them:
    "initialize",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
    "subscriptions/listen",
    "resources/subscribe",
    "tasks/get",
  ];
  const counted = ["tools/call", "resources/read", "prompts/get", "completion/complete", "no/such/method"];

  it.each([
    ...never.map((method) => ({ method, passes: true })),
    ...counted.map((method) => ({ method, passes: false })),
  ])("$method passes an exhausted limit: $passes", ({ method, passes }) => {
    const { delivered, sent, receive, call } = setup({ perClient: "1/h", global: "1/h", tools: { "*": "1/h" } });
    call(1);
    receive({ id: 2, method, params: { name: "x", uri: "x:" } });
    expect(delivered).toHaveLength(passes ? 2 : 1);
    expect(sent).toHaveLength(passes ? 0 : 1);
  });

  it.each([
    ["a notification", { method: "notifications/initialized" }],
    ["progress", { method: "notifications/progress", params: { progressToken: 1, progress: 1 } }],
    ["the cancellation of a call that runs", { method: "notifications/cancelled", params: { requestId: 1 } }],
    ["a response", { id: 7, result: {} }],
    ["an error response", { id: 7, error: { code: 1, message: "no" } }],
    ["something unknown", { hello: "world" }],
  ])("%s passes", (_what, message) => {
    const { delivered, receive, call } = setup({ perClient: "1/h" });
    call(1);
    receive(message);
    expect(delivered).toHaveLength(2);
  });

  it("cannot be given a limit", () => {
    for (const method of ["server/discover", "ping", "notifications/cancelled"]) {
      expect(() => setup({ methods: { [method]: "1/h" } })).toThrow("must never be refused");
    }
  });

  it("initialize and lists can have limits of their own", () => {
    const { sent, receive } = setup({ methods: { initialize: "2/min" } });
    for (const id of [1, 2, 3]) receive({ id, method: "initialize", params: {} });
    expect(sent).toMatchObject([
      { id: 3, error: { code: 429, data: { quota: "methods.initialize.per-minute", rate_limited: true } } },
    ]);
  });
});

describe("limits", () => {
  it("are decided together: a call that one refuses charges none", () => {
    const { sent, call, clock } = setup({ perClient: "3/min", global: "100/min", tools: { a: "1/s", b: "5/min" } });
    call(1, "a");
    call(2, "a");
    call(3, "a");
    expect(sent.map(({ result }) => readRefusal(result)?.quota)).toEqual(["tools.a.per-second", "tools.a.per-second"]);
    call(4, "b");
    call(5, "b");
    call(6, "b");
    expect(readRefusal(sent[2].result)).toMatchObject({ quota: "perclient.per-minute", retryAfterMs: 60_000 });
    clock.advanceSync(60_000);
    call(7, "b");
    expect(sent).toHaveLength(3);
  });

  it("count all other tools together, so that made-up names are no new limits", () => {
    const { sent, call } = setup({ tools: { known: "5/min", "*": "2/min" } });
    for (const [i, name] of ["x1", "x2", "x3", "known"].entries()) call(i, name);
    expect(sent.map(({ id }) => id)).toEqual([2]);
    expect(sent[0].result.content[0].text).toContain("all other tools together may be used 2 per minute");
  });

  it("count a call whose tool has no name, or the name of the wildcard, with the other tools", () => {
    const { sent, receive } = setup({ tools: { a: "9/min", "*": "1/min" } });
    for (const [id, name] of [7, "*", undefined].entries()) receive({ id, method: "tools/call", params: { name } });
    expect(sent.map(({ id }) => id)).toEqual([1, 2]);
  });

  it("shared by everyone hold over clients, the others per client", () => {
    const http = (clientId: string) => ({ authInfo: { clientId }, request: new Request("http://localhost/mcp") });
    const { sent, call } = setup({ tools: { a: ["2/min", { quota: "3/min", per: "everyone" }] } });
    call(1, "a", http("ann"));
    call(2, "a", http("ann"));
    call(3, "a", http("ann"));
    call(4, "a", http("bob"));
    call(5, "a", http("bob"));
    expect(sent.map(({ id }) => id)).toEqual([3, 5]);
    expect(sent[1].result.content[0].text).toContain("counted for all clients together");
    expect(readRefusal(sent[0].result)?.quota).toBe("tools.a.per-minute");
    expect(readRefusal(sent[1].result)?.quota).toBe("tools.a.2.per-minute");
  });

  it.each([
    [{ tools: { a: "10/fortnight" } }, 'The limit tools.a: "10/fortnight"'],
    [{ tools: { a: {} } }, "The limit tools.a: a limit is a rate"],
    [{ perClient: 10 }, "The limit perClient: a limit is a rate"],
    [{ tools: { a: { quota: "1/s", cost: -1 } } }, "cost must be a whole number of at least 0, but it is -1"],
    [{ errorCode: -32_001 }, "errorCode must be an integer outside"],
    [{ wait: { maxWaitMs: 60_000 } }, "wait.maxWaitMs must be at most 30000"],
  ])("%j is refused when it is made", (options, message) => {
    expect(() => setup(options as never)).toThrow(message);
  });
});

it.each([null, 7, "x", [], { name: null }, undefined])(
  "counts a call with the params %j and leaves it to the server",
  (params) => {
    const { sent, delivered, receive } = setup({ tools: { "*": "1/min" }, mrtr: "once" });
    for (const id of [1, 2]) receive({ id, method: "tools/call", params });
    expect(delivered.map(({ id }) => id)).toEqual([1]);
    expect(sent).toMatchObject([{ id: 2, result: { isError: true } }]);
  },
);

describe("the client of a call", () => {
  const request = new Request("http://localhost/mcp", { headers: { "x-key": "k1" } });

  it("is the verified principal: client and subject, which no two lists of parts confuse", () => {
    const seen: string[] = [];
    const { call } = setup({ perClient: "9/min", onDecision: ({ client }) => seen.push(client) });
    call(1, "a", { request, authInfo: { clientId: "c", extra: { sub: "ann" } } });
    call(2, "a", { request, authInfo: { clientId: "c:3:ann" } });
    call(3, "a", { request, authInfo: { extra: { sub: "c:3:ann" } } });
    expect(new Set(seen).size).toBe(3);
  });

  it("is the connection without HTTP, and never a session or a name that the client chose", () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const options = { store: memoryStore(), perClient: "1/min" } as const;
    const [one, two] = [fakeTransport(options), fakeTransport(options)];
    one.call(1);
    two.call(1);
    expect([...one.sent, ...two.sent]).toEqual([]);
    const seen: string[] = [];
    const http = setup({ perClient: "9/min", onDecision: ({ client }) => seen.push(client) });
    for (const id of ["s1", "s2"]) {
      http.transport.sessionId = id;
      http.call(1, "a", { request });
    }
    expect(seen).toEqual(["unknown", "unknown"]);
    expect(console.warn).toHaveBeenCalledTimes(1);
  });

  it("can be chosen, at once or with a promise; undefined is not charged, an empty text is an error", async () => {
    const { sent, call, delivered } = setup({
      perClient: "1/min",
      client: async ({ headers }) => headers?.get("x-key") ?? undefined,
    });
    call(1, "a", { request });
    call(2, "a", { request });
    call(3, "a");
    await vi.waitUntil(() => delivered.length === 2);
    expect(sent.map(({ id }) => id)).toEqual([2]);
    const bad = setup({ perClient: "1/min", client: () => "" });
    bad.transport.onerror = vi.fn();
    bad.call(1);
    expect(bad.sent).toMatchObject([{ id: 1, error: { code: -32_603 } }]);
    expect(bad.transport.onerror).toHaveBeenCalledOnce();
    expect(bad.delivered).toEqual([]);
  });
});

describe("a store that fails", () => {
  it("is an internal error, never a rate limit, and nothing hangs", async () => {
    const store: Store = { take: () => Promise.reject(new Error("down")), forget: async () => {} };
    const { transport, sent, delivered, call } = fakeTransport({ store, perClient: "1/min" });
    transport.onerror = vi.fn();
    call(1);
    await vi.waitUntil(() => sent.length === 1);
    expect(sent[0]).toMatchObject({
      id: 1,
      error: { code: -32_603, message: expect.stringContaining("rate limiter of this server failed") },
    });
    expect(delivered).toEqual([]);
    expect(transport.onerror).toHaveBeenCalledWith(expect.objectContaining({ message: "down" }));
  });
});

describe("a store that fails while a call runs", () => {
  it("does not end the process: the place is free when its lease ends", async () => {
    const taken = { allowed: true, remaining: 0, retryAfter: 0, resetAfter: 0, receipt: 1 };
    const store: Store = {
      clock: manualClock(),
      take: async (demands, { mode } = {}) => {
        if (mode !== undefined) throw new Error("down");
        return demands.map(() => taken);
      },
      forget: async () => {},
    };
    const { transport, delivered, call } = fakeTransport({ store, tools: { slow: { concurrency: 1 } } });
    call(1, "slow");
    await vi.waitUntil(() => delivered.length === 1);
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
