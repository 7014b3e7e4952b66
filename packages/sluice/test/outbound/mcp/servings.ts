import { createServer } from "node:net";
import { McpServer as V1Server } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as V2Server } from "@modelcontextprotocol/server";
import { FastMCP } from "fastmcp";
import type { createUpstreams, OutboundToolOptions } from "sluice/outbound";
import { outboundTool } from "sluice/outbound";
import { z } from "zod";
import { type ClientKind, clientKinds } from "../../inbound/mcp/clients.ts";
import { type Listening, listenWithHandler, listenWithTransport } from "../../inbound/mcp/servers.ts";

type Named = ReturnType<typeof createUpstreams<{ fake: string }>>;
type Serve = (upstreams: Named, options: OutboundToolOptions) => Promise<Listening>;

const info = { name: "test", version: "1.0.0" };
const text = (said: string) => ({ content: [{ type: "text" as const, text: said }] });

/** The tool `ask` calls the upstream; `fail` throws what is no refusal. */
function v2Server(upstreams: Named, options: OutboundToolOptions): V2Server {
  const server = new V2Server(info);
  server.registerTool(
    "ask",
    { inputSchema: z.object({ id: z.string() }) },
    outboundTool(
      upstreams,
      async ({ id }, { upstreams }) => text(await upstreams.fake.run(() => `answer ${id}`)),
      options,
    ),
  );
  server.registerTool(
    "fail",
    {},
    outboundTool(upstreams, ({ upstreams }) => upstreams.fake.run(() => Promise.reject(new Error("no luck"))), options),
  );
  return server;
}

function v1Server(upstreams: Named, options: OutboundToolOptions): V1Server {
  const server = new V1Server(info);
  server.registerTool(
    "ask",
    { inputSchema: { id: z.string() } },
    outboundTool(
      upstreams,
      async ({ id }, { upstreams }) => text(await upstreams.fake.run(() => `answer ${id}`)),
      options,
    ),
  );
  server.registerTool(
    "fail",
    {},
    outboundTool(upstreams, ({ upstreams }) => upstreams.fake.run(() => Promise.reject(new Error("no luck"))), options),
  );
  return server;
}

async function fastMcp(upstreams: Named, options: OutboundToolOptions): Promise<Listening> {
  const server = new FastMCP({ name: "test", version: "1.0.0" });
  server.addTool({
    name: "ask",
    parameters: z.object({ id: z.string() }),
    execute: outboundTool(upstreams, ({ id }, { upstreams }) => upstreams.fake.run(() => `answer ${id}`), options),
  });
  server.addTool({
    name: "fail",
    parameters: z.object({}),
    execute: outboundTool(
      upstreams,
      (_args, { upstreams }) => upstreams.fake.run(() => Promise.reject(new Error("no luck"))),
      options,
    ),
  });
  const port = await freePort();
  await server.start({ transportType: "httpStream", httpStream: { port, host: "127.0.0.1", endpoint: "/mcp" } });
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), close: () => server.stop() };
}

/** A port that nobody listens on. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

const old: readonly ClientKind[] = ["v1", "v2 legacy"];
const all: Record<string, { serve: Serve; kinds: readonly ClientKind[] }> = {
  "SDK v2, createMcpHandler": {
    serve: (upstreams, options) => listenWithHandler(() => v2Server(upstreams, options)),
    kinds: clientKinds,
  },
  "SDK v2, sessions": {
    serve: (upstreams, options) => listenWithTransport("v2", () => v2Server(upstreams, options), true),
    kinds: old,
  },
  "SDK v1, sessions": {
    serve: (upstreams, options) => listenWithTransport("v1", () => v1Server(upstreams, options), true),
    kinds: old,
  },
  FastMCP: { serve: fastMcp, kinds: old },
};

/** Every server with every client that it can speak to. */
export const servings = Object.entries(all).flatMap(([server, { serve, kinds }]) =>
  kinds.map((kind) => ({
    server,
    serve,
    kind,
    // Each request has a server of its own there, and a client of the older protocol cancels in a request of its own.
    hearsCancels: server !== "SDK v2, createMcpHandler" || kind === "v2 modern",
  })),
);
