import { setTimeout as sleep } from "node:timers/promises";
import { McpServer } from "@modelcontextprotocol/server";
import type { McpLimits } from "sluice/mcp";
import { z } from "zod";
import type { Rate } from "./config.ts";

/** The limits of the tools below. */
export function toolLimits({ limit, windowSeconds }: Rate): McpLimits {
  return {
    tools: {
      get_time: "3/10s",
      slow_report: { concurrency: 2 },
      "*": `${limit}/${windowSeconds}s`,
    },
  };
}

const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });

/** A server with three tools. Made anew for each request over HTTP: the limits live outside. */
export function createToolServer(): McpServer {
  const server = new McpServer({ name: "sluice-dual-server", version: "1.0.0" });
  server.registerTool("get_time", { description: "The time now, in UTC." }, async () => text(new Date().toISOString()));
  server.registerTool(
    "echo",
    { description: "Says what it was told.", inputSchema: z.object({ text: z.string().max(1000) }) },
    async ({ text: said }) => text(said),
  );
  server.registerTool(
    "slow_report",
    {
      description: "Takes some seconds. At most two run at once for each client.",
      inputSchema: z.object({ seconds: z.number().min(0).max(30).default(5) }),
    },
    async ({ seconds }, ctx) => {
      await sleep(seconds * 1000, undefined, { signal: ctx.mcpReq.signal });
      return text(`The report took ${seconds} s.`);
    },
  );
  return server;
}
