import { ErrorCode } from "@modelcontextprotocol/sdk/types.js";
import { memoryStore, parseRate } from "sluice";
import { limitFetch, type McpDecisionEvent, readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { describe, expect, it, vi } from "vitest";
import { echo, generations, passed, serve, times } from "./in-memory.ts";

// What FastMCP's Python limiter gets wrong, one by one, and what happens here instead. What its
// arithmetic, clock and memory get wrong is in fastmcp-defects-limiter.test.ts.

describe.each(generations)("SDK %s", (generation) => {
  describe("1. The default client id is one constant, so one client starves all", () => {
    it("every connection is a client of its own", async () => {
      const { connect } = serve(generation, { perClient: "2/min" });
      const [greedy, modest] = [await connect(), await connect()];
      expect(await passed(5, () => echo(greedy))).toEqual([true, true, false, false, false]);
      expect(await passed(2, () => echo(modest))).toEqual([true, true]);
    });

    it("so is every verified principal, however many connections it opens", async () => {
      const { connect } = serve(generation, { perClient: "2/min" });
      const [one, two, other] = [
        await connect({ clientId: "greedy" }),
        await connect({ clientId: "greedy" }),
        await connect({ clientId: "modest" }),
      ];
      expect(await passed(2, () => echo(one))).toEqual([true, true]);
      expect(await passed(1, () => echo(two))).toEqual([false]);
      expect(await passed(1, () => echo(other))).toEqual([true]);
    });
  });

  it("5. initialize, ping and lists share the bucket: here connecting and looking around take nothing", async () => {
    const { connect } = serve(generation, { perClient: "1/h burst 1", global: "2/h" });
    for (const client of [await connect(), await connect()]) {
      await client.ping();
      for (let i = 0; i < 10; i++) await client.listTools();
      await client.listResources();
      await client.listPrompts();
      expect(await passed(2, () => echo(client))).toEqual([true, false]);
      await client.ping();
      await client.listTools();
    }
    await connect();
  });

  it("5b. who wants them limited gives each a limit of its own", async () => {
    const { connect } = serve(generation, {
      methods: { initialize: "2/min", "tools/list": "1/min" },
      client: () => "x",
    });
    const client = await connect();
    await connect();
    await expect(connect()).rejects.toThrow("the method initialize may be used 2 per minute");
    await client.listTools();
    await expect(client.listTools()).rejects.toThrow("the method tools/list may be used 1 per minute");
    expect(await passed(1, () => echo(client))).toEqual([true]);
  });

  describe("6. No retry time, limit or remaining, and the client's id in the message", () => {
    it.each(["result", "error"] as const)("a refusal as %s says them, and not whose limit it was", async (refusal) => {
      const { connect, clock } = serve(generation, { perClient: "3/min", refusal });
      const client = await connect({ clientId: "ada@example.org" });
      await passed(3, () => echo(client));
      clock.advanceSync(12_500);
      const refused = await echo(client).catch((error: unknown) => error);
      expect(readRefusal(refused)).toMatchObject({ retryAfterMs: 47_500, limit: 3, remaining: 0 });
      const said = `${JSON.stringify(refused)} ${(refused as Partial<Error>).message}`;
      expect(said).toContain("Wait 48 seconds");
      expect(said).not.toContain("ada");
      clock.advanceSync(readRefusal(refused)!.retryAfterMs!);
      expect(await passed(1, () => echo(client))).toEqual([true]);
    });
  });

  describe("7. A get_client_id that raises is an internal error without a policy", () => {
    const broken = () => {
      throw new Error("the database of users is away: postgres://secret");
    };

    it.each([
      ["throws", broken],
      ["rejects", async () => broken()],
    ])("a `client` that %s: the call is not run, and the answer says what failed", async (_how, client) => {
      const { connect, runs } = serve(generation, { perClient: "1/min", client });
      const connected = await connect();
      const error: any = await echo(connected).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: ErrorCode.InternalError,
        message: expect.stringContaining("The rate limiter of this server failed, so the request was not run."),
      });
      expect(error.message).not.toContain("secret");
      expect(readRefusal(error)).toBeUndefined();
      expect(runs).toEqual([]);
      expect((await connected.listTools()).tools.length).toBeGreaterThan(0);
    });

    it("who wants the other policy writes it down: `undefined` lets the call through uncharged", async () => {
      const { connect, runs } = serve(generation, {
        perClient: "1/h",
        client: async () => {
          try {
            return broken();
          } catch {
            return undefined;
          }
        },
      });
      const client = await connect();
      expect(await passed(3, () => echo(client))).toEqual([true, true, true]);
      expect(runs).toHaveLength(3);
    });
  });

  describe("8. No limits per tool or method, costs, exemptions, concurrency, queue, metrics, shared store", () => {
    it("a limit per tool", async () => {
      const client = await serve(generation, { tools: { echo: "1/min" } }).connect();
      expect(await passed(2, () => echo(client))).toEqual([true, false]);
      expect(await passed(2, () => client.callTool({ name: "typed", arguments: {} }))).toEqual([true, true]);
    });

    it("rules per method", async () => {
      const client = await serve(generation, { methods: { "resources/read": "1/min" } }).connect();
      expect(await passed(2, () => client.readResource({ uri: "note://1" }))).toEqual([true, false]);
      expect(await passed(2, () => client.getPrompt({ name: "hello" }))).toEqual([true, true]);
    });

    it("a cost per call", async () => {
      const cost = (call: any) => call.params.arguments.text.length;
      const client = await serve(generation, { tools: { echo: { quota: "10/min", cost } } }).connect();
      expect(await passed(1, () => echo(client, "12345678"))).toEqual([true]);
      expect(await passed(1, () => echo(client, "123"))).toEqual([false]);
      expect(await passed(1, () => echo(client, "12"))).toEqual([true]);
    });

    it("exemptions", async () => {
      const { connect } = serve(generation, {
        perClient: "1/h",
        client: ({ authInfo }) => (authInfo?.clientId === "monitor" ? undefined : (authInfo?.clientId ?? "nobody")),
      });
      const [monitor, other] = [await connect({ clientId: "monitor" }), await connect({ clientId: "other" })];
      expect(await passed(3, () => echo(monitor))).toEqual([true, true, true]);
      expect(await passed(2, () => echo(other))).toEqual([true, false]);
    });

    it("a bound on what runs at once", async () => {
      const { connect, runs, release } = serve(generation, { tools: { slow: { concurrency: 1 } } });
      const client = await connect();
      const slow = () => client.callTool({ name: "slow", arguments: {} });
      const first = slow();
      await vi.waitUntil(() => runs.length === 1);
      expect(await passed(1, slow)).toEqual([false]);
      release();
      await first;
      expect(await passed(1, slow)).toEqual([true]);
    });

    it("a queue, for a bounded time", async () => {
      const { connect, clock, runs } = serve(generation, { perClient: "1/s", wait: { maxWaitMs: 2000 } });
      const client = await connect();
      await echo(client, "1");
      const waiting = [echo(client, "2"), echo(client, "3")];
      await vi.waitUntil(() => clock.pending >= 2);
      expect(readRefusal(await echo(client, "4"))).toMatchObject({ retryAfterMs: 3000 });
      expect(runs).toEqual(["echo 1"]);
      await clock.advance(1000);
      await waiting[0];
      expect(runs).toEqual(["echo 1", "echo 2"]);
      await clock.advance(1000);
      await waiting[1];
      expect(runs).toEqual(["echo 1", "echo 2", "echo 3"]);
    });

    it("every decision for logs and metrics", async () => {
      const events: McpDecisionEvent[] = [];
      const { connect } = serve(generation, { perClient: "1/min", onDecision: (event) => events.push(event) });
      const client = await connect({ clientId: "ada" });
      await passed(2, () => echo(client));
      expect(events.map(({ call, client: key, decision }) => [call.tool, key, decision.allowed])).toEqual([
        ["echo", "principal:3:ada:0:", true],
        ["echo", "principal:3:ada:0:", false],
      ]);
    });

    it("one limit for any number of servers over one store", async () => {
      const { connect } = serve(generation, { perClient: "10/min" });
      const workers = await Promise.all(times(4, { clientId: "ada" }).map(connect));
      const answers = await Promise.all(workers.map((worker) => passed(10, () => echo(worker))));
      expect(answers.flat().filter((isAllowed) => isAllowed)).toHaveLength(10);
    });
  });

  it("9. Minutes only, of which 0.5 reads as 0.0: here any period, and the refusal names it", async () => {
    const client = await serve(generation, { tools: { echo: "1/30s" } }).connect();
    await echo(client);
    expect((await echo(client)).content[0].text).toBe(
      'Rate limit reached: the tool "echo" may be used 1 per 30 seconds, counted for each client. This call was not ' +
        "run. Wait 30 seconds, then repeat this call once. Calls before then will be refused as well.",
    );
  });

  it("10. -32000 is what SDK v1 calls ConnectionClosed: the code here is no code of the SDKs", async () => {
    expect(ErrorCode.ConnectionClosed).toBe(-32_000);
    const client = await serve(generation, { perClient: "1/min", refusal: "error" }).connect();
    await echo(client);
    const error: any = await echo(client).catch((thrown: unknown) => thrown);
    expect(error.code).toBe(429);
    expect(Object.values(ErrorCode)).not.toContain(error.code);
  });
});

describe("6. No 429 and no headers", () => {
  it("by option a refusal over HTTP has both", async () => {
    const fetch = limitFetch(async (_request: Request) => Response.json({ jsonrpc: "2.0", id: 1, result: {} }), {
      store: memoryStore({ clock: manualClock() }),
      perClient: "1/min",
      client: () => "ada",
      httpStatus: 429,
    });
    const call = () =>
      fetch(
        new Request("http://localhost/mcp", {
          method: "POST",
          body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } }),
        }),
      );
    expect((await call()).status).toBe(200);
    const refused = await call();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("60");
  });
});

it("9. 0.5 minutes is written as what it is", () => {
  expect(parseRate("5/30s").text).toBe("5 per 30 seconds");
  expect(parseRate("1/0.5min").periodMs).toBe(30_000);
});
