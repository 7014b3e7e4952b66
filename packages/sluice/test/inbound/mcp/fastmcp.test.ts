import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { FastMCP } from "fastmcp";
import { memoryStore } from "sluice";
import { rateLimit } from "sluice/fastmcp";
import { RATE_LIMIT_META, readRefusal } from "sluice/mcp";
import { manualClock } from "sluice/testing";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { z } from "zod";
import { clientKinds, connect } from "./clients.ts";

const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  for (const level of ["warn", "info", "log", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
});
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
  vi.restoreAllMocks();
});

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

async function serve(options: Parameters<typeof rateLimit>[1]) {
  const runs: string[] = [];
  const server = rateLimit(
    new FastMCP<{ clientId: string }>({
      name: "test",
      version: "1.0.0",
      authenticate: async (request) => ({ clientId: String(request.headers["x-user"] ?? "nobody") }),
    }),
    options,
  );
  const tool = (name: string) => ({
    name,
    description: name,
    parameters: z.object({}),
    execute: async () => {
      runs.push(name);
      return name;
    },
  });
  server.addTool(tool("one"));
  server.addTools([tool("two"), tool("three")]);
  const port = await freePort();
  await server.start({ transportType: "httpStream", httpStream: { port, host: "127.0.0.1", endpoint: "/mcp" } });
  cleanup.push(() => server.stop());
  return { runs, url: new URL(`http://127.0.0.1:${port}/mcp`) };
}

it.each(clientKinds.filter((kind) => kind !== "v2 modern"))(
  "limits tools, however they were added: client %s",
  async (kind) => {
    const { runs, url } = await serve({
      store: memoryStore({ clock: manualClock() }),
      tools: { one: "1/min", "*": "2/min" },
    });
    const client = await connect(kind, { url });
    cleanup.push(() => client.close());
    const call = (name: string) => client.callTool({ name, arguments: {} });
    expect((await call("one")).content).toEqual([{ type: "text", text: "one" }]);
    const refused = await call("one");
    expect(refused).toMatchObject({
      isError: true,
      _meta: { [RATE_LIMIT_META]: { rate_limited: true, limit: 1, remaining: 0 } },
    });
    expect(refused.content[0].text).toContain('the tool "one" may be used 1 per minute');
    await call("two");
    await call("three");
    expect(readRefusal(await call("two"))?.quota).toBe("tools.other.per-minute");
    expect(runs).toEqual(["one", "two", "three"]);
  },
);

it("limits each principal that authenticate returns by itself, over all its sessions", async () => {
  const { url } = await serve({ store: memoryStore({ clock: manualClock() }), tools: { one: "1/min" } });
  const isRefused = async (user: string) => {
    const client = new Client({ name: "test", version: "1.0.0" });
    cleanup.push(() => client.close());
    await client.connect(
      new StreamableHTTPClientTransport(url, { requestInit: { headers: { "x-user": user } } }) as any,
    );
    return (await client.callTool({ name: "one", arguments: {} })).isError ?? false;
  };
  expect([await isRefused("ann"), await isRefused("bob"), await isRefused("ann")]).toEqual([false, false, true]);
});
