import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { perSecond, RateLimitError } from "sluice";
import { RATE_LIMIT_META, readRefusal } from "sluice/mcp";
import { describe, expect, it } from "vitest";
import { echo, generations, passed, serve, times } from "./in-memory.ts";

// FastMCP's error and its two middlewares, over the official clients. What differs on purpose is in
// fastmcp-defects.test.ts.

describe.each(generations)("SDK %s", (generation) => {
  describe("RateLimitError", () => {
    it("is the same on the wire by option: code -32000 and its message, and data besides", async () => {
      const { connect } = serve(generation, {
        perClient: "1/min",
        refusal: "error",
        errorCode: -32_000,
        describe: () => "Rate limit exceeded",
      });
      const client = await connect();
      await echo(client);
      const error: any = await echo(client).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect(error.code).toBe(-32_000);
      expect(error.message).toBe(
        error instanceof McpError ? "MCP error -32000: Rate limit exceeded" : "Rate limit exceeded",
      );
      expect(readRefusal(error)).toEqual({
        rate_limited: true,
        retryAfterMs: 60_000,
        limit: 1,
        remaining: 0,
        quota: "perclient.per-minute",
      });
    });

    it("can word both messages of the middleware, without the id of the client", async () => {
      const { connect } = serve(generation, {
        perClient: "2/min",
        global: "3/min",
        refusal: "error",
        describe: ({ per }) => (per === "everyone" ? "Global rate limit exceeded" : "Rate limit exceeded"),
      });
      const [one, other] = [await connect(), await connect()];
      expect(await passed(2, () => echo(one))).toEqual([true, true]);
      await expect(echo(one)).rejects.toThrow(/Rate limit exceeded$/);
      expect(await passed(1, () => echo(other))).toEqual([true]);
      await expect(echo(other)).rejects.toThrow(/Global rate limit exceeded$/);
    });

    it("is by default a result that the model reads, instead of an error that it never sees", async () => {
      const client = await serve(generation, { perClient: "1/min" }).connect();
      await echo(client);
      expect(await echo(client)).toMatchObject({
        isError: true,
        content: [{ type: "text", text: expect.stringContaining("Wait 60 seconds, then repeat this call once.") }],
        _meta: { [RATE_LIMIT_META]: { rate_limited: true, retryAfterMs: 60_000 } },
      });
    });
  });

  describe("RateLimitingMiddleware()", () => {
    /** What the module's defaults mean: ten a second, and twice that at once. */
    const defaults = "10/s burst 20";

    it("lets a burst of twice the rate through, and then ten a second", async () => {
      const { connect, clock } = serve(generation, { perClient: defaults });
      const client = await connect();
      expect(await passed(21, () => echo(client))).toEqual([...times(20, true), false]);
      clock.advanceSync(99);
      expect(await passed(1, () => echo(client))).toEqual([false]);
      clock.advanceSync(1);
      expect(await passed(2, () => echo(client))).toEqual([true, false]);
      clock.advanceSync(500);
      expect(await passed(6, () => echo(client))).toEqual([...times(5, true), false]);
    });

    it("burst_capacity is the burst", async () => {
      const client = await serve(generation, { perClient: perSecond(10, { burst: 3 }) }).connect();
      expect(await passed(4, () => echo(client))).toEqual([true, true, true, false]);
    });

    it("counts calls, reads and prompts together", async () => {
      const client = await serve(generation, { perClient: "1/s burst 3" }).connect();
      expect(await passed(1, () => echo(client))).toEqual([true]);
      expect(await passed(1, () => client.readResource({ uri: "note://1" }))).toEqual([true]);
      expect(await passed(1, () => client.getPrompt({ name: "hello" }))).toEqual([true]);
      expect(await passed(1, () => echo(client))).toEqual([false]);
      expect(await passed(1, () => client.readResource({ uri: "note://1" }))).toEqual([false]);
    });

    it("does not count notifications", async () => {
      const client = await serve(generation, { perClient: "1/h burst 1" }).connect();
      await client.notification({ method: "notifications/progress", params: { progressToken: 1, progress: 1 } });
      expect(await passed(2, () => echo(client))).toEqual([true, false]);
    });

    it.each([
      ["at once", (id: string | undefined) => id],
      ["later", async (id: string | undefined) => id],
    ])("get_client_id is `client`, which answers %s", async (_when, answer) => {
      const { connect } = serve(generation, {
        perClient: "1/s burst 2",
        client: ({ authInfo }) => answer(authInfo?.clientId) as string | undefined,
      });
      const [ada, again, ben] = [
        await connect({ clientId: "ada" }),
        await connect({ clientId: "ada" }),
        await connect({ clientId: "ben" }),
      ];
      expect(await passed(2, () => echo(ada))).toEqual([true, true]);
      expect(await passed(1, () => echo(again))).toEqual([false]);
      expect(await passed(2, () => echo(ben))).toEqual([true, true]);
    });

    it("global_limit=True is `global`: one bucket for all clients", async () => {
      const { connect, clock } = serve(generation, { global: defaults });
      const [one, other] = [await connect(), await connect()];
      expect(await passed(15, () => echo(one))).toEqual(times(15, true));
      expect(await passed(6, () => echo(other))).toEqual([...times(5, true), false]);
      expect(await passed(1, () => echo(one))).toEqual([false]);
      clock.advanceSync(100);
      expect(await passed(2, () => echo(one))).toEqual([true, false]);
    });

    it("can have both at once, decided together: a call that all clients' limit refuses costs its client nothing", async () => {
      const { connect, clock } = serve(generation, { perClient: "2/min", global: "3/s" });
      const [one, other] = [await connect(), await connect()];
      expect(await passed(2, () => echo(one))).toEqual([true, true]);
      expect(await passed(3, () => echo(other))).toEqual([true, false, false]);
      clock.advanceSync(1000);
      expect(await passed(2, () => echo(other))).toEqual([true, false]);
    });
  });

  describe("SlidingWindowRateLimitingMiddleware(max_requests, window_minutes=1)", () => {
    it("lets that many through in any minute, and does not record what it denies", async () => {
      const { connect, clock } = serve(generation, { perClient: "3/min" });
      const client = await connect();
      const answers: boolean[] = [];
      for (const seconds of [0, 20, 20, 10, 10.001, 10, 10]) {
        clock.advanceSync(seconds * 1000);
        answers.push(...(await passed(1, () => echo(client))));
      }
      //                     0     20    40    50     60.001 70.001 80.001
      expect(answers).toEqual([true, true, true, false, true, false, true]);
    });

    it("window_minutes is the period", async () => {
      const { connect, clock } = serve(generation, { perClient: "1/5min" });
      const client = await connect();
      await echo(client);
      clock.advanceSync(299_999);
      expect(await passed(1, () => echo(client))).toEqual([false]);
      clock.advanceSync(2);
      expect(await passed(1, () => echo(client))).toEqual([true]);
    });
  });
});

it("our own RateLimitError is another thing: what `wait` throws", () => {
  const error = new RateLimitError({
    allowed: false,
    quota: "per-minute",
    limit: 1,
    remaining: 0,
    retryAfterMs: 1500,
    resetAfterMs: 1500,
    degraded: false,
  });
  expect(error).toMatchObject({ code: "RATE_LIMITED", message: expect.stringContaining("Retry after 1500 ms") });
});
