import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { type EventStore, StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { fullServerV1 } from "../../fixtures/full-server-v1.ts";
import { fullServerV2, newMemory } from "../../fixtures/full-server-v2.ts";

/** The full servers over HTTP, by how they serve. */
export const fullServers = {
  "SDK v1 with sessions": () =>
    listen(withSessions((options) => new StreamableHTTPServerTransport(options), fullServerV1)),
  "SDK v2 with sessions": () =>
    listen(
      withSessions(
        (options) => new NodeStreamableHTTPServerTransport(options),
        () => fullServerV2(),
      ),
    ),
  "SDK v2 without sessions": () => {
    const memory = newMemory();
    const handler = createMcpHandler(() => fullServerV2(memory, handler.notify));
    return listen(toNodeHandler(handler));
  },
};

async function listen(listener: (request: any, response: any) => unknown) {
  const server = createServer(listener as RequestListener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One server for each session. What was sent is kept for clients that come back for it. */
function withSessions(transportOf: (options: any) => any, serverOf: () => any): RequestListener {
  const open = new Map<string, any>();
  return async (request, response) => {
    const { "mcp-session-id": id } = request.headers;
    if (id !== undefined && !open.has(String(id))) return response.writeHead(404).end();
    const transport =
      open.get(String(id)) ??
      transportOf({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (begun: string) => open.set(begun, transport),
        onsessionclosed: (ended: string) => open.delete(ended),
        eventStore: newEvents(),
        retryInterval: 1,
      });
    if (id === undefined) await serverOf().connect(transport);
    return transport.handleRequest(request, response);
  };
}

function newEvents(): EventStore {
  const events: { streamId: string; message: JSONRPCMessage }[] = [];
  return {
    // The number of the event after it is its id.
    storeEvent: async (streamId, message) => String(events.push({ streamId, message })),
    async replayEventsAfter(last, { send }) {
      const { streamId } = events[Number(last) - 1]!;
      for (const [i, event] of events.entries()) {
        if (i >= Number(last) && event.streamId === streamId && "jsonrpc" in event.message)
          await send(String(i + 1), event.message);
      }
      return streamId;
    },
  };
}
