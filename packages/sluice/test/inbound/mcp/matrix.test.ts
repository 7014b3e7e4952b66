import { memoryStore } from "sluice";
import { limitFetch, type McpRateLimitOptions, RATE_LIMIT_META, rateLimit, readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ClientKind, clientKinds, connect } from "./clients.ts";
import { type Listening, listenWithHandler, listenWithTransport, newLog, v1Server, v2Server } from "./servers.ts";

type Log = ReturnType<typeof newLog>;
type Serve = (options: McpRateLimitOptions, log: Log) => Promise<Listening | { command: string; args: string[] }>;

const stdio =
  (generation: "v1" | "v2"): Serve =>
  async ({ store: _, ...options }) => ({
    command: process.execPath,
    args: ["--no-warnings", `${import.meta.dirname}/stdio-server.ts`, generation, JSON.stringify(options)],
  });

/** Every way to serve, with the eras of the protocol that it can speak. */
const servings: Record<string, { serve: Serve; eras: readonly ClientKind[] }> = {
  "v2 handler, rateLimit in the factory": {
    serve: (options, log) => listenWithHandler(() => rateLimit(v2Server(log), options)),
    eras: clientKinds,
  },
  "v2 handler, limitFetch": {
    serve: (options, log) =>
      listenWithHandler(
        () => v2Server(log),
        (fetch) => limitFetch(fetch, options),
      ),
    eras: clientKinds,
  },
  "v2 sessions": {
    serve: (options, log) => listenWithTransport("v2", () => rateLimit(v2Server(log), options), true),
    eras: ["v1", "v2 legacy"],
  },
  "v1 sessions": {
    serve: (options, log) => listenWithTransport("v1", () => rateLimit(v1Server(log), options), true),
    eras: ["v1", "v2 legacy"],
  },
  "v1 stateless": {
    serve: (options, log) => listenWithTransport("v1", () => rateLimit(v1Server(log), options), false),
    eras: ["v1", "v2 legacy"],
  },
  "v2 stdio": { serve: stdio("v2"), eras: clientKinds },
  "v1 stdio": { serve: stdio("v1"), eras: ["v1", "v2 legacy"] },
};

const cells = Object.entries(servings).flatMap(([serving, { serve, eras }]) =>
  eras.map((kind) => ({ serving, serve, kind })),
);

describe.each(cells)("$serving, client $kind", ({ serving, serve, kind }) => {
  const isStdio = serving.endsWith("stdio");
  // Not over stdio: what needs the log, the clock or a function of the server, which is another process there.
  const within = isStdio ? () => {} : it;
  // The status of HTTP is chosen before any other seam is reached.
  const withStatus = serving.includes("limitFetch") ? it : () => {};
  let log: Log;
  let clock: ReturnType<typeof manualClock>;
  const cleanup: (() => unknown)[] = [];

  beforeEach(() => {
    log = newLog();
    clock = manualClock();
    vi.spyOn(console, "warn").mockImplementation(() => {});
  });
  afterEach(async () => {
    log.release();
    for (const close of cleanup.splice(0).reverse()) await close();
    vi.restoreAllMocks();
  });

  async function start(options: McpRateLimitOptions) {
    const target = await serve({ store: memoryStore({ clock }), ...options }, log);
    if ("close" in target) cleanup.push(() => target.close());
    const client = await connect(kind, target);
    cleanup.push(() => client.close());
    return { client, target };
  }

  it("refuses a tool call with a result that a model can act on, and lets other tools pass", async () => {
    const { client } = await start({ tools: { echo: "2/min" } });
    const call = (text: string) => client.callTool({ name: "echo", arguments: { text } });
    expect((await call("1")).content).toEqual([{ type: "text", text: "1" }]);
    expect((await call("2")).isError).toBeFalsy();
    const refused = await call("3");
    expect(refused.isError).toBe(true);
    expect(refused.structuredContent).toBeUndefined();
    expect(refused.content[0].text).toMatch(
      /^Rate limit reached: the tool "echo" may be used 2 per minute, counted for each client\. This call was not run\. Wait (\d+) seconds, then repeat this call once\./,
    );
    expect(refused._meta[RATE_LIMIT_META]).toEqual({
      rate_limited: true,
      retryAfterMs: expect.any(Number),
      limit: 2,
      remaining: 0,
      quota: "tools.echo.per-minute",
    });
    expect(readRefusal(refused)?.retryAfterMs).toBeGreaterThan(50_000);
    expect((await client.callTool({ name: "typed", arguments: {} })).structuredContent).toEqual({ value: 1 });
    if (isStdio) return;
    expect(log.runs).toEqual(["echo 1", "echo 2", "typed"]);
    clock.advanceSync(60_000);
    expect((await call("4")).isError).toBeFalsy();
  });

  it("refuses a tool with an output schema so that clients that check it accept the refusal", async () => {
    const { client } = await start({ tools: { typed: "1/min" } });
    await client.listTools();
    await client.callTool({ name: "typed", arguments: {} });
    expect(await client.callTool({ name: "typed", arguments: {} })).toMatchObject({ isError: true });
  });

  it("answers with JSON-RPC errors by option, and always for other requests", async () => {
    const { client } = await start({ perClient: "2/min", refusal: "error", errorCode: -32_000 });
    await client.readResource({ uri: "note://1" });
    await client.getPrompt({ name: "hello" });
    for (const call of [
      () => client.callTool({ name: "echo", arguments: { text: "1" } }),
      () => client.readResource({ uri: "note://1" }),
      () => client.getPrompt({ name: "hello" }),
    ]) {
      const error = await call().then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toMatchObject({
        code: -32_000,
        message: expect.stringContaining("requests may be used 2 per minute"),
      });
      expect(readRefusal(error)).toMatchObject({ quota: "perclient.per-minute", limit: 2, remaining: 0 });
    }
    expect(log.runs).toEqual([]);
  });

  it("never blocks what a connection needs, however tight the limits are", async () => {
    const { client, target } = await start({ perClient: "1/h", global: "1/h", tools: { "*": "1/h" } });
    await client.callTool({ name: "echo", arguments: { text: "1" } });
    expect(await client.callTool({ name: "echo", arguments: { text: "2" } })).toMatchObject({ isError: true });
    expect((await client.listTools()).tools).toHaveLength(serving.startsWith("v1") ? 3 : 4);
    expect((await client.listResources()).resources).toHaveLength(1);
    if (kind !== "v2 modern") await client.ping();
    const second = await connect(kind, target);
    cleanup.push(() => second.close());
    expect((await second.listPrompts()).prompts).toHaveLength(1);
  });

  within("says that a call which costs more than the limit can never pass", async () => {
    const { client } = await start({
      tools: { echo: { quota: "2/min", cost: (call) => Number((call.params as any).arguments.text) } },
    });
    const refused = await client.callTool({ name: "echo", arguments: { text: "3" } });
    expect(readRefusal(refused)).toMatchObject({ retryAfterMs: null, limit: 2, remaining: 2 });
    expect(refused.content[0].text).toContain("do not repeat it");
    expect((await client.callTool({ name: "echo", arguments: { text: "2" } })).isError).toBeFalsy();
  });

  within("lets a call wait its turn by option, and refuses at once what would wait too long", async () => {
    const { client } = await start({ tools: { echo: "1/4s" }, wait: true });
    const call = (text: string) => client.callTool({ name: "echo", arguments: { text } });
    await call("1");
    const second = call("2");
    await vi.waitUntil(() => clock.pending > 0);
    expect(readRefusal(await call("3"))?.retryAfterMs).toBe(8_000);
    await clock.advance(4_000);
    expect((await second).content[0].text).toBe("2");
  });

  withStatus("answers with HTTP 429 by option, which clients throw", async () => {
    const { client } = await start({ tools: { echo: "1/min" }, httpStatus: 429 } as McpRateLimitOptions);
    const call = () => client.callTool({ name: "echo", arguments: { text: "x" } });
    await call();
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error.code ?? error.data?.status).toSatisfy(
      (code) => code === 429 || code === "CLIENT_HTTP_NOT_IMPLEMENTED",
    );
    expect(JSON.stringify(error.data ?? error.message)).toContain("Rate limit reached");
  });

  within("limits how many run at once, and gives places back", async () => {
    const { client } = await start({ tools: { slow: { concurrency: 1 } } });
    const first = client.callTool({ name: "slow", arguments: {} });
    await vi.waitUntil(() => log.runs.length === 1);
    const refused = await client.callTool({ name: "slow", arguments: {} });
    expect(refused.content[0].text).toMatch(/1 at once.*Wait until one of the running calls has ended/);
    expect(readRefusal(refused)).toMatchObject({ quota: "tools.slow.concurrency", limit: 1 });
    log.release();
    expect((await first).content[0].text).toBe("done");
    await vi.waitUntil(async () => !(await client.callTool({ name: "slow", arguments: {} })).isError);
  });
});
