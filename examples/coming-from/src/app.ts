import { createServer, type Server } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import type { MemoryStore } from "sluice";
import { limitFetch } from "sluice/mcp";
import { rateLimit, withClientAddress } from "sluice/node";
import { z } from "zod";

const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });

/** The two tools of the example, without a word about limits. */
function toolServer(): McpServer {
  const server = new McpServer({ name: "coming-from", version: "1.0.0" });
  server.registerTool("get_time", {}, async () => text(new Date().toISOString()));
  server.registerTool("heavy_operation", { inputSchema: z.object({ data: z.string() }) }, async ({ data }) =>
    text(`Processed ${data.length} characters`),
  );
  return server;
}

/**
 * The server of the example: pages at 20 requests a minute for each address, `get_time` at 3 per 10 s
 * and `heavy_operation` at 10 a minute for each client. All limits stand here, and all state in `store`.
 */
export function createApp(store: MemoryStore): Server {
  const pages = rateLimit((_request, response) => response.end("ok"), { quota: "20/60s", store, name: "http" });
  const mcp = limitFetch(createMcpHandler(toolServer).fetch, {
    store,
    tools: { get_time: "3/10s", heavy_operation: "10/60s" },
  });
  const tools = withClientAddress(toNodeHandler({ fetch: mcp }));
  return createServer((request, response) => {
    if (request.url === "/mcp") tools(request, response);
    else if (request.url === "/health") response.end("healthy");
    else pages(request, response);
  });
}
