/** One server, or one proxy in front of a server, on a free port of the loopback. It tells its port and its CPU time. Arguments: what, where the server is. */
import { createServer, type RequestListener, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { pino } from "pino";
import { memoryStore } from "sluice";
import { createMcpGate } from "sluice/mcp";
import { z } from "zod";
import { identifier } from "../../packages/gateway/src/identity/identify.ts";
import { httpProxy } from "../../packages/gateway/src/proxy/http/http-proxy.ts";
import { httpUpstream } from "../../packages/gateway/src/proxy/http/http-upstream.ts";
import { answerQuestions } from "../worker.ts";

export type What = "stub" | "sdk" | "byte proxy" | "sluice" | "mcp-proxy";

const [what, upstream = ""] = process.argv.slice(2) as [What, string | undefined];

const make: Record<What, () => Promise<number>> = {
  /** Reads a request and answers it without looking at it. */
  stub: () => {
    const answer = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}';
    return listen((incoming, response) => {
      incoming.resume().on("end", () => {
        response.writeHead(200, { "content-type": "application/json", "content-length": answer.length }).end(answer);
      });
    });
  },

  /** What people write with the official SDK. */
  sdk: () => {
    const handler = createMcpHandler(() => {
      const server = new McpServer({ name: "bench", version: "1.0.0" });
      server.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, async ({ text }) => ({
        content: [{ type: "text", text }],
      }));
      return server;
    });
    return listen(toNodeHandler(handler) as RequestListener);
  },

  /** The least that a proxy can do. */
  "byte proxy": () => {
    const { hostname, port } = new URL(upstream);
    return listen((incoming, response) => {
      const { method, url, headers } = incoming;
      const outgoing = request({ hostname, port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(outgoing);
    });
  },

  sluice: async () => {
    const log = pino({ level: "silent" });
    const limits = { perClient: "100000000/min", tools: { echo: "100000000/min", "*": "100000000/min" } };
    const { server } = httpProxy({
      mounts: [{ upstream: httpUpstream(new URL(upstream)) }],
      gates: { current: createMcpGate({ ...limits, store: memoryStore() }), readsHeaders: false },
      log,
      identify: identifier({}, log),
      httpStatus: 200,
      maxMessageBytes: 16 * 1024 * 1024,
    });
    return portOf(server);
  },

  /** It speaks stdio to the server, and has sessions. */
  "mcp-proxy": async () => {
    const { proxyServer, startHTTPServer } = await import("mcp-proxy");
    const { Client } = await import("@modelcontextprotocol/client");
    const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
    const { Server } = await import("@modelcontextprotocol/server");
    const port = await freePort();
    await startHTTPServer({
      port,
      host: "127.0.0.1",
      createServer: async () => {
        const client: any = new Client({ name: "bench", version: "1.0.0" }, {
          versionNegotiation: { mode: "legacy" },
        } as any);
        const child = fileURLToPath(new URL("stdio-server.ts", import.meta.url));
        await client.connect(new StdioClientTransport({ command: process.execPath, args: ["--no-warnings", child] }));
        const capabilities = client.getServerCapabilities();
        const server: any = new Server(client.getServerVersion(), { capabilities });
        await proxyServer({ server, client, serverCapabilities: capabilities } as any);
        return server;
      },
    } as any);
    return port;
  },
};

function listen(listener: RequestListener): Promise<number> {
  return portOf(createServer(listener));
}

async function portOf(server: Server): Promise<number> {
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const port = await make[what]();

answerQuestions((question) => {
  if (question === "port") return port;
  const { user, system } = process.cpuUsage();
  return user + system;
});
