import { memoryStore, type Store } from "sluice";
import { limitFetch, limitTransport, type McpRateLimitOptions, readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, describe, expect, it, vi } from "vitest";

/** A transport whose both ends are lists. */
function fakeTransport(options: McpRateLimitOptions) {
  const delivered: any[] = [];
  const sent: any[] = [];
  const transport: any = {
    send: async (message: any) => void sent.push(message),
    close: async () => {},
    sessionId: undefined,
  };
  limitTransport(transport, options);
  transport.onmessage = (message: any) => void delivered.push(message);
  const receive = (message: object, extra?: object) => transport.onmessage({ jsonrpc: "2.0", ...message }, extra);
  const call = (id: number, name = "echo", extra?: object, params: object = {}) =>
    receive({ id, method: "tools/call", params: { name, arguments: {}, ...params } }, extra);
  return { transport, delivered, sent, receive, call };
}

function setup(options: McpRateLimitOptions) {
  const clock = manualClock();
  const store = memoryStore({ clock });
  return { clock, store, ...fakeTransport({ store, ...options }) };
}

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

describe("waiting in line", () => {
  it("lets calls pass in order at the earliest time, and refuses at once what cannot be in time", async () => {
    const { clock, delivered, sent, call } = setup({ tools: { echo: "1/2s" }, wait: true });
    for (const id of [1, 2, 3, 4, 5]) call(id);
    await clock.advance(0);
    expect(delivered.map(({ id }) => id)).toEqual([1]);
    expect(sent.map(({ id }) => id)).toEqual([4, 5]);
    expect(readRefusal(sent[0].result)?.retryAfterMs).toBe(6_000);
    await clock.advance(2_000);
    expect(delivered.map(({ id }) => id)).toEqual([1, 2]);
    await clock.advance(2_000);
    expect(delivered.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(clock.pending).toBe(0);
  });

  it("drops a call whose cancellation arrives, charges nothing for it, and the server hears of neither", async () => {
    const { clock, delivered, sent, call, receive } = setup({ tools: { echo: "1/2s" }, wait: true });
    for (const id of [1, 2, 3]) call(id);
    await clock.advance(1_000);
    receive({ method: "notifications/cancelled", params: { requestId: 2 } });
    await clock.advance(1_000);
    expect(delivered.map(({ id }) => id)).toEqual([1, 3]);
    expect(sent).toEqual([]);
  });

  it("drops calls that wait when the connection closes", async () => {
    const { clock, delivered, transport, call } = setup({ tools: { echo: "1/2s" }, wait: true });
    transport.onclose = () => {};
    call(1);
    call(2);
    transport.onclose();
    await clock.advance(5_000);
    expect(delivered).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("waits for a place, and takes it when it is given back", async () => {
    const { clock, delivered, sent, call, transport } = setup({ tools: { slow: { concurrency: 1 } }, wait: true });
    call(1, "slow");
    call(2, "slow");
    await clock.advance(4_000);
    expect(delivered).toHaveLength(1);
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await clock.advance(0);
    expect(delivered).toHaveLength(2);
    call(3, "slow");
    await clock.advance(5_000);
    expect(sent.at(-1)).toMatchObject({ id: 3, result: { isError: true } });
  });
});

describe("places", () => {
  it("are renewed while a call runs, however long", async () => {
    const { clock, sent, call, transport } = setup({ tools: { slow: { concurrency: 1, leaseMs: 3_000 } } });
    call(1, "slow");
    await clock.advance(60_000);
    call(2, "slow");
    expect(sent).toMatchObject([{ id: 2, result: { isError: true } }]);
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    expect(clock.pending).toBe(0);
    call(3, "slow");
    expect(sent.map(({ id }) => id)).toEqual([2, 1]);
  });

  it("are not leaked by a client that gives one id to several calls", async () => {
    const { clock, sent, call, transport } = setup({ tools: { slow: { concurrency: 2, leaseMs: 3_000 } } });
    call(1, "slow");
    call(1, "slow");
    await transport.send({ jsonrpc: "2.0", id: 1, result: {} });
    await clock.advance(3_000);
    expect(clock.pending).toBe(0);
    for (const id of [2, 3]) call(id, "slow");
    expect(sent.filter(({ result }) => result.isError)).toEqual([]);
  });

  it("of a cancelled call stay taken until the lease ends: cancelling is no way to run more at once", async () => {
    const { clock, sent, call, receive, delivered } = setup({ tools: { slow: { concurrency: 1, leaseMs: 3_000 } } });
    call(1, "slow");
    receive({ method: "notifications/cancelled", params: { requestId: 1 } });
    expect(delivered).toHaveLength(2);
    call(2, "slow");
    expect(sent).toHaveLength(1);
    await clock.advance(3_000);
    call(3, "slow");
    expect(sent).toHaveLength(1);
  });
});

describe("multi-round-trip calls", () => {
  const leg = { inputResponses: { sure: {} }, requestState: "s1" };

  it("are charged for every leg unless told otherwise", () => {
    const { sent, call, transport } = setup({ tools: { confirm: "1/min" } });
    call(1, "confirm");
    void transport.send({ jsonrpc: "2.0", id: 1, result: { resultType: "input_required", requestState: "s1" } });
    call(2, "confirm", undefined, leg);
    expect(sent).toHaveLength(2);
  });

  it('are charged once with mrtr: "once", for a leg that the server asked for, once, of the same client and tool', () => {
    const { sent, delivered, call, transport } = setup({ tools: { confirm: "1/min", other: "1/min" }, mrtr: "once" });
    call(0, "confirm");
    void transport.send({ jsonrpc: "2.0", id: 0, result: { resultType: "input_required", requestState: "s1" } });
    call(1, "confirm", undefined, { ...leg, requestState: "made up" });
    call(2, "confirm");
    expect(delivered).toHaveLength(1);
    call(3, "confirm", undefined, leg);
    expect(delivered).toHaveLength(2);
    call(4, "confirm", undefined, leg);
    expect(delivered).toHaveLength(2);
    expect(sent.filter(({ result }) => result.isError).map(({ id }) => id)).toEqual([1, 2, 4]);
  });
});

describe("limitFetch", () => {
  const post = (body: unknown, headers = {}) =>
    new Request("http://localhost/mcp", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const toolCall = (id: number, name = "echo") => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name } });

  function limited(options: Parameters<typeof limitFetch>[1]) {
    const bodies: string[] = [];
    const fetch = limitFetch(
      async (request) => {
        bodies.push(await request.text());
        return Response.json({ served: true });
      },
      { store: memoryStore({ clock: manualClock() }), client: () => "me", ...options },
    );
    return { bodies, fetch };
  }

  it("refuses on HTTP 200 with Retry-After, or on 429 by option", async () => {
    for (const httpStatus of [200, 429] as const) {
      const { bodies, fetch } = limited({ tools: { echo: "1/min" }, httpStatus });
      await fetch(post(toolCall(1)));
      const response = await fetch(post(toolCall(2)));
      expect(response.status).toBe(httpStatus);
      expect(response.headers.get("retry-after")).toBe("60");
      expect(await response.json()).toMatchObject({ id: 2, result: { isError: true, resultType: "complete" } });
      expect(bodies).toHaveLength(1);
    }
  });

  it("sends the fields of HTTP rate limits with a 429", async () => {
    const { fetch } = limited({ tools: { echo: ["1/min", { concurrency: 9 }] }, global: "100/min", httpStatus: 429 });
    await fetch(post(toolCall(1)));
    const { headers } = await fetch(post(toolCall(2)));
    expect(headers.get("ratelimit-policy")).toBe('"global.per-minute";q=100;w=60, "tools.echo.per-minute";q=1;w=60');
    expect(headers.get("ratelimit")).toContain('"tools.echo.per-minute";r=0;t=60');
    expect(headers.get("x-ratelimit-remaining")).toBe("0");
  });

  it("drops a waiting call when its session cancels it, and not when another does", async () => {
    const clock = manualClock();
    const { bodies, fetch } = limited({ tools: { echo: "1/2s" }, wait: true, store: memoryStore({ clock }) });
    const session = (id: string) => ({ "mcp-session-id": id });
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } };
    await fetch(post(toolCall(1)));
    const waiting = fetch(post(toolCall(2), session("a")));
    await clock.advance(0);
    await fetch(post(cancel, session("b")));
    await clock.advance(1_000);
    expect(clock.pending).toBeGreaterThan(0);
    await fetch(post(cancel, session("a")));
    expect((await waiting).status).toBe(202);
    expect(bodies.filter((body) => body.includes("tools/call"))).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it("admits all requests of a batch or none, and answers each", async () => {
    const { bodies, fetch } = limited({ tools: { echo: "2/min" } });
    const refused = await fetch(
      post([toolCall(1), toolCall(2), { jsonrpc: "2.0", method: "notifications/x" }, toolCall(3)]),
    );
    expect((await refused.json()).map(({ id }: any) => id)).toEqual([1, 2, 3]);
    await fetch(post([toolCall(1), toolCall(2)]));
    expect(bodies).toHaveLength(1);
    expect(await (await fetch(post(toolCall(3)))).json()).toMatchObject({ result: { isError: true } });
  });

  it.each([
    ["what is not JSON", post("{")],
    ["GET", new Request("http://localhost/mcp")],
    ["DELETE", new Request("http://localhost/mcp", { method: "DELETE" })],
    ["a notification", post({ jsonrpc: "2.0", method: "notifications/cancelled" })],
    ["null", post("null")],
  ])("leaves %s to the handler, with its body", async (_what, request) => {
    const { bodies, fetch } = limited({ perClient: "1/h" });
    const body = await request.clone().text();
    await fetch(post(toolCall(1)));
    expect(await (await fetch(request)).json()).toEqual({ served: true });
    expect(bodies.at(-1)).toBe(body);
  });

  it("counts calls whatever the content type says, and refuses bodies that it cannot read whole", async () => {
    const { bodies, fetch } = limited({ tools: { echo: "1/min" }, maxBodyBytes: 1000 });
    await fetch(post(toolCall(1), { "content-type": "text/plain" }));
    expect(await (await fetch(post(toolCall(2)))).json()).toMatchObject({ result: { isError: true } });
    const padded = await fetch(post({ ...toolCall(3), padding: "x".repeat(2000) }));
    expect(padded.status).toBe(413);
    expect(bodies).toHaveLength(1);
  });

  it("takes the address that the platform tells", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const fetch = limitFetch(async (_request: Request) => new Response("ok"), {
      store: memoryStore(),
      perClient: "1/h",
      address: (request) => request.headers.get("x-client"),
    });
    const from = async (address: string) => (await fetch(post(toolCall(1), { "x-client": address }))).text();
    expect([await from("a"), await from("b")]).toEqual(["ok", "ok"]);
    expect(await from("a")).toContain("isError");
  });

  it("gives places back when the answer has been read, or the handler throws", async () => {
    const clock = manualClock();
    let answer: () => Promise<Response> = async () => new Response("ok");
    const fetch = limitFetch((_request: Request) => answer(), {
      store: memoryStore({ clock }),
      client: () => "me",
      tools: { echo: { concurrency: 1 } },
    });
    const unread = await fetch(post(toolCall(1)));
    expect(await (await fetch(post(toolCall(2)))).text()).toContain("isError");
    expect(await unread.text()).toBe("ok");
    answer = () => Promise.reject(new Error("broken"));
    await expect(fetch(post(toolCall(3)))).rejects.toThrow("broken");
    answer = async () => new Response(null, { status: 202 });
    expect((await fetch(post(toolCall(4)))).status).toBe(202);
    expect((await fetch(post(toolCall(5)))).status).toBe(202);
    expect(clock.pending).toBe(0);
  });
});
