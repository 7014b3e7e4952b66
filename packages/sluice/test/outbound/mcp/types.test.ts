import { McpServer as V1Server } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as V2Server } from "@modelcontextprotocol/server";
import { FastMCP } from "fastmcp";
import { createUpstreams, outboundTool } from "sluice/outbound";
import { expect, it } from "vitest";
import { z } from "zod";

const upstreams = createUpstreams({ coingecko: "10/min" });
const info = { name: "test", version: "1.0.0" };
const inputSchema = z.object({ id: z.string() });
const text = (said: string) => ({ content: [{ type: "text" as const, text: said }] });

// What counts here is that it compiles: each callback sees its arguments, its SDK's context, and the upstreams.
it("fits what the servers of all SDKs take", () => {
  const v2 = new V2Server(info);
  v2.registerTool(
    "price",
    { inputSchema },
    outboundTool(upstreams, async ({ id }, { upstreams, mcpReq }) => {
      const said: string = await upstreams.coingecko.run(() => id.toUpperCase());
      // @ts-expect-error: there is no such upstream
      upstreams.coingeko;
      return text(`${said} ${mcpReq.method}`);
    }),
  );
  v2.registerTool(
    "bare",
    {},
    outboundTool(upstreams, async ({ upstreams }) => text(upstreams.coingecko.name)),
  );

  const v1 = new V1Server(info);
  v1.registerTool(
    "price",
    { inputSchema: { id: z.string() } },
    outboundTool(upstreams, async ({ id }, { upstreams, requestId }) => {
      const said: string = await upstreams.coingecko.run(() => id.toUpperCase());
      return text(`${said} ${requestId}`);
    }),
  );
  v1.registerTool(
    "bare",
    {},
    outboundTool(upstreams, async ({ upstreams }) => text(upstreams.coingecko.name)),
  );

  const fast = new FastMCP({ name: "test", version: "1.0.0" });
  fast.addTool({
    name: "price",
    parameters: inputSchema,
    execute: outboundTool(upstreams, async ({ id }, { upstreams, log }) => {
      log.info("called");
      return upstreams.coingecko.run(() => id.toUpperCase());
    }),
  });
  expect(v1.isConnected()).toBe(false);
});
