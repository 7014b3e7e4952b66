// An MCP server over stdio, as each of its hosts starts it: `node server.ts <store> <prefix> <origin of the APIs>`. All of its
// processes use one account of each API, so they share its limits. The store is a file of this machine, or a Redis for many.
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { Redis } from "ioredis";
import type { Store } from "sluice";
import { createUpstreams, outboundTool } from "sluice/outbound";
import { redisStore } from "sluice/redis";
import { sqliteStore } from "sluice/sqlite";
import { z } from "zod";

const [, , place = "", prefix = "", origin = ""] = process.argv;

async function openStore(): Promise<Store> {
  if (!/^rediss?:/.test(place)) return sqliteStore({ path: place, busyTimeoutMs: 10_000 });
  const client = new Redis(place, {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    lazyConnect: true,
  });
  client.on("error", (error) => console.error(`Redis: ${error.message}`));
  await client.connect();
  return redisStore({ client, prefix, timeoutMs: 5_000 });
}

const upstreams = createUpstreams(
  {
    // Counted from the end of each call: exact as the API itself counts, however long a request is on its way.
    prices: { limit: "10/s", anchor: "end" },
    weather: { concurrency: 3 },
    // What is used up comes back in an hour: nobody waits for that.
    news: { limit: "60/h", maxWaitMs: 2_000 },
  },
  { store: await openStore() },
);

serveStdio(() => {
  const server = new McpServer({ name: "outbound", version: "1.0.0" });
  for (const name of ["prices", "weather", "news"] as const) {
    server.registerTool(
      name,
      { inputSchema: z.object({ id: z.string() }) },
      outboundTool(upstreams, async ({ id }, { upstreams }) => {
        const response = await upstreams[name].fetch(`${origin}/${name}/${id}`);
        const text = await response.text();
        return { content: [{ type: "text", text }], isError: !response.ok };
      }),
    );
  }
  return server;
});
