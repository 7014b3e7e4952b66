// An MCP server over stdio, as each of its hosts starts it: `node server.ts <store> <name>`. All of its processes search with
// one account, so they share the limit of the tool. The store is a file of this machine, or a Redis for many machines.
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { createClient } from "redis";
import type { Store } from "sluice";
import { limitTool } from "sluice/mcp";
import { redisStore } from "sluice/redis";
import { sqliteStore } from "sluice/sqlite";
import { z } from "zod";

const [, , place = "", name = ""] = process.argv;

async function openStore(): Promise<Store> {
  if (!/^rediss?:/.test(place)) return sqliteStore({ path: place, busyTimeoutMs: 10_000 });
  // Redis must not keep calls in a queue while it is away. The time budget is that of a machine which is busy starting servers.
  const client = createClient({ url: place, disableOfflineQueue: true });
  client.on("error", (error) => console.error(`Redis: ${error.message}`));
  await client.connect();
  return redisStore({ client, timeoutMs: 5_000 });
}

const store = await openStore();
const search = limitTool(
  { tool: "search", name, store, limit: { quota: "50/h", per: "everyone" } },
  async ({ query }: { query: string }) => ({ content: [{ type: "text" as const, text: `Nothing about ${query}.` }] }),
);

serveStdio(() => {
  const server = new McpServer({ name: "search", version: "1.0.0" });
  server.registerTool("search", { inputSchema: z.object({ query: z.string() }) }, search);
  return server;
});
