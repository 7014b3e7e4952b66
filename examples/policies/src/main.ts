// Three policies that a rate alone cannot say, at one server of the SDK, driven by the official client.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { limitFetch, readRefusal } from "sluice/mcp";
import { withClientAddress } from "sluice/node";
import { z } from "zod";

const text = (said: string) => ({ content: [{ type: "text" as const, text: said }] });

function demoServer(): McpServer {
  const server = new McpServer({ name: "demo", version: "1.0.0" });
  server.registerTool("ask", { inputSchema: z.object({ tokens: z.number() }) }, async ({ tokens }) => ({
    ...text("An answer."),
    _meta: { "dev.example/usage": { tokens } },
  }));
  server.registerTool("quick", {}, async () => text("Done."));
  server.registerTool("slow", {}, async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return text("Done, after a while.");
  });
  return server;
}

const levels: number[] = [];
const fetch = limitFetch(createMcpHandler(demoServer).fetch, {
  // A call that is over a limit is held, and the client asked to come again: no model hears of it.
  tickets: { holdMs: 150 },
  policies: [
    {
      name: "tokens",
      match: { tool: "ask" },
      quota: "1000/day UTC",
      cost: 100, // at first
      settle: { result: "_meta.dev.example/usage.tokens" }, // what it cost
    },
    { name: "pace", match: { tool: "quick" }, quota: "2/s" },
    {
      name: "gentle",
      match: { tool: "slow" },
      key: "everyone",
      quota: "20/10s",
      adapt: { slowMs: 5, everyMs: 150 }, // lowered while answers take longer
    },
  ],
  onAdapt: ({ level }) => levels.push(level),
});

const http = createServer(withClientAddress(toNodeHandler({ fetch })));
await once(http.listen(0, "127.0.0.1"), "listening");
const client = new Client({ name: "example", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
await client.connect(
  new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`)),
);

// 1. What a call costs stands in its result.
assert.equal(readRefusal(await client.callTool({ name: "ask", arguments: { tokens: 950 } })), undefined);
const refused = readRefusal(await client.callTool({ name: "ask", arguments: { tokens: 1 } }));
assert.equal(refused?.remaining, 50);
console.log("950 of 1000 tokens are used, so a call that begins with 100 has to wait for tomorrow.");

// 2. Five calls at a pace of two per second: all pass, and nothing was refused.
for (let i = 0; i < 5; i++) assert.equal(readRefusal(await client.callTool({ name: "quick" })), undefined);
console.log("Five calls passed at a pace of two per second: three of them came again by themselves.");

// 3. The server is slow, so fewer calls may pass.
let passed = 0;
while (readRefusal(await client.callTool({ name: "slow" })) === undefined) {
  passed++;
  if (levels.length > 0 && passed >= 20) break;
}
assert.ok(levels.length > 0 && levels[0]! < 1);
console.log(`The server was slow, so this part of the limit was left: ${levels.join(", ")}.`);

await client.close();
http.close();
http.closeAllConnections();
