import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer as V1Server } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { acceptedContent, createMcpHandler, inputRequired, McpServer as V2Server } from "@modelcontextprotocol/server";
import { z } from "zod";

/** What the tools of a test server did: refused calls must not show up here. */
export interface Log {
  readonly runs: string[];
  /** Ends all runs of `slow`. */
  release(): void;
}

export function newLog(): Log & { released: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { runs: [], release: resolve, released: promise };
}

type RunLog = ReturnType<typeof newLog>;

const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });

/** The same tools, resource and prompt on both generations of the SDK. */
export function v2Server(log: RunLog): V2Server {
  const server = new V2Server({ name: "test", version: "1.0.0" });
  server.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, async ({ text: said }) => {
    log.runs.push(`echo ${said}`);
    return text(said);
  });
  server.registerTool(
    "typed",
    { inputSchema: z.object({}), outputSchema: z.object({ value: z.number() }) },
    async () => {
      log.runs.push("typed");
      return { ...text("1"), structuredContent: { value: 1 } };
    },
  );
  server.registerTool("slow", { inputSchema: z.object({}) }, async () => {
    log.runs.push("slow");
    await log.released;
    return text("done");
  });
  server.registerTool("confirm", { inputSchema: z.object({}) }, async (_args, ctx) => {
    log.runs.push("confirm");
    const schema = z.object({ yes: z.boolean() });
    const answer = acceptedContent(ctx.mcpReq.inputResponses, "sure", schema);
    if (answer?.yes === true) return text("confirmed");
    return inputRequired({
      inputRequests: { sure: inputRequired.elicit({ message: "Sure?", requestedSchema: schema }) },
      requestState: "state-1",
    });
  });
  server.registerResource("note", "note://1", {}, async (uri) => ({ contents: [{ uri: uri.href, text: "note" }] }));
  server.registerPrompt("hello", {}, async () => ({
    messages: [{ role: "user", content: { type: "text", text: "hello" } }],
  }));
  return server;
}

export function v1Server(log: RunLog): V1Server {
  const server = new V1Server({ name: "test", version: "1.0.0" });
  server.registerTool("echo", { inputSchema: { text: z.string() } }, async ({ text: said }) => {
    log.runs.push(`echo ${said}`);
    return text(said);
  });
  server.registerTool("typed", { inputSchema: {}, outputSchema: { value: z.number() } }, async () => {
    log.runs.push("typed");
    return { ...text("1"), structuredContent: { value: 1 } };
  });
  server.registerTool("slow", { inputSchema: {} }, async () => {
    log.runs.push("slow");
    await log.released;
    return text("done");
  });
  server.registerResource("note", "note://1", {}, async (uri) => ({ contents: [{ uri: uri.href, text: "note" }] }));
  server.registerPrompt("hello", {}, async () => ({
    messages: [{ role: "user", content: { type: "text", text: "hello" } }],
  }));
  return server;
}

/** A server that listens on loopback, with what ends it. */
export interface Listening {
  readonly url: URL;
  close(): Promise<void>;
}

async function listen(listener: (req: IncomingMessage, res: ServerResponse) => unknown): Promise<Listening> {
  const http: HttpServer = createServer((req, res) => void listener(req, res));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    url: new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`),
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** `createMcpHandler` behind `fetch`, possibly wrapped: both eras, a new server for each request. */
export function listenWithHandler(
  factory: () => V2Server,
  wrap: (fetch: ReturnType<typeof createMcpHandler>["fetch"]) => ReturnType<typeof createMcpHandler>["fetch"] = (
    fetch,
  ) => fetch,
  around: (listener: (req: any, res: any) => unknown) => (req: any, res: any) => unknown = (listener) => listener,
): Promise<Listening> {
  const handler = createMcpHandler(factory);
  return listen(around(toNodeHandler({ fetch: wrap(handler.fetch) })));
}

/** Streamable HTTP of the 2025 revisions, with a session for each client or a new server for each request. */
export function listenWithTransport(
  generation: "v1" | "v2",
  factory: () => V1Server | V2Server,
  sessions: boolean,
): Promise<Listening> {
  const Transport: any = generation === "v1" ? StreamableHTTPServerTransport : NodeStreamableHTTPServerTransport;
  const open = new Map<string, any>();
  return listen(async (req, res) => {
    const known = open.get(String(req.headers["mcp-session-id"]));
    if (known !== undefined) return known.handleRequest(req, res);
    const transport = new Transport({
      sessionIdGenerator: sessions ? () => crypto.randomUUID() : undefined,
      onsessioninitialized: (id: string) => open.set(id, transport),
    });
    await (factory() as any).connect(transport);
    return transport.handleRequest(req, res);
  });
}
