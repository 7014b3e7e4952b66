// An MCP server over HTTP whose limits, store and upstream are watched: GET /metrics is what Prometheus reads.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import type { Logger } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import { memoryStore } from "sluice";
import { logDecisions, logUpstreams } from "sluice/logs";
import { limitFetch } from "sluice/mcp";
import { withClientAddress } from "sluice/node";
import { createUpstreams } from "sluice/outbound";
import { createMetrics } from "sluice/prometheus";
import { z } from "zod";

/** @param pricesUrl the API that the tool needs */
export async function startServer(pricesUrl: string, log: Logger) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createMetrics({ registry, tools: ["price"] });

  const store = metrics.observeStore(memoryStore(), "memory");
  const logEvent = logUpstreams(log);
  const upstreams = metrics.observeUpstreams(
    createUpstreams(
      { prices: { limit: "100/s", retry: { attempts: 2 } } },
      {
        store,
        onEvent(event) {
          metrics.onEvent(event);
          logEvent(event);
        },
      },
    ),
  );

  function demoServer(): McpServer {
    const server = new McpServer({ name: "demo", version: "1.0.0" });
    server.registerTool("price", { inputSchema: z.object({ id: z.string() }) }, async ({ id }) => {
      const response = await upstreams.prices.fetch(`${pricesUrl}?id=${id}`);
      return { content: [{ type: "text", text: await response.text() }] };
    });
    return server;
  }

  const logDecision = logDecisions(log);
  const limited = limitFetch(createMcpHandler(demoServer).fetch, {
    store,
    tools: { price: "3/min" },
    ...metrics.listeners,
    onDecision(event) {
      metrics.listeners.onDecision?.(event);
      logDecision(event);
    },
  });
  const mcp = withClientAddress(toNodeHandler({ fetch: limited }));
  const http = createServer(async (request, response) => {
    if (request.url !== "/metrics") return mcp(request, response);
    response.setHeader("Content-Type", registry.contentType).end(await registry.metrics());
  });
  await once(http.listen(0, "127.0.0.1"), "listening");
  return {
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async close() {
      http.closeAllConnections();
      http.close();
      await upstreams.close();
    },
  };
}
