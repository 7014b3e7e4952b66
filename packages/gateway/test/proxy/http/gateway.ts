import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { memoryStore } from "sluice";
import { createMcpGate, type McpRateLimitOptions } from "sluice/mcp";
import { type IdentityOptions, identifier } from "../../../src/identity/identify.ts";
import { protectedResource } from "../../../src/identity/resource.ts";
import { httpProxy } from "../../../src/proxy/http/http-proxy.ts";
import { httpUpstream } from "../../../src/proxy/http/http-upstream.ts";
import type { Upstream } from "../../../src/proxy/http/upstream.ts";

export interface GatewayOptions {
  readonly identity?: IdentityOptions;
  readonly httpStatus?: 200 | 429;
  readonly maxMessageBytes?: number;
  readonly hosts?: readonly string[];
  readonly patienceMs?: number;
}

/** A gateway on loopback, in front of a server. */
export interface TestGateway {
  /** Of its MCP endpoint. */
  readonly url: URL;
  readonly server: Server;
  /** How many it has with clients. */
  connections(): Promise<number>;
  close(drainMs?: number): Promise<void>;
}

export async function startGateway(
  server: URL | Upstream,
  limits: McpRateLimitOptions,
  { identity = {}, httpStatus = 200, maxMessageBytes = 1_000_000, hosts, patienceMs }: GatewayOptions = {},
): Promise<TestGateway> {
  const upstream = server instanceof URL ? httpUpstream(server) : server;
  const log = pino({ level: "silent" });
  const proxy = httpProxy({
    mounts: [{ upstream }],
    gates: { current: createMcpGate({ store: memoryStore(), ...limits }) },
    log,
    identify: identifier(identity, log),
    resource: protectedResource(identity),
    httpStatus,
    maxMessageBytes,
    hosts,
    ...(patienceMs !== undefined && { patienceMs }),
  });
  await once(proxy.server.listen(0, "127.0.0.1"), "listening");
  const { port } = proxy.server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}${upstream.path}`),
    server: proxy.server,
    connections: () => new Promise((resolve) => proxy.server.getConnections((_error, now) => resolve(now))),
    close: (drainMs = 0) => proxy.close(drainMs),
  };
}

/** What a server behind the gateway got. */
interface Received {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** A server that writes down what it gets. It answers JSON, or as it is told. */
export interface Recorder {
  readonly url: URL;
  readonly received: Received[];
  answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => unknown;
  close(): Promise<void>;
}

export async function startRecorder(path = "/mcp"): Promise<Recorder> {
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk);
    } catch {
      // The client has left in the middle.
    }
    const body = Buffer.concat(chunks);
    const { method = "", url = "", rawHeaders, headers } = incoming;
    recorder.received.push({ method, url, rawHeaders, headers, body });
    recorder.answer(incoming, response, body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const recorder: Recorder = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`),
    received: [],
    answer: (_request, response) =>
      void response.writeHead(200, { "Content-Type": "application/json" }).end('{"jsonrpc":"2.0","id":1,"result":{}}'),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return recorder;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly json: any;
}

/** Sends a request with nothing but what it is told to send, and reads the whole answer. */
export async function send(
  url: URL,
  body: string | Buffer | undefined,
  { method = "POST", path = url.pathname, headers = {} }: { method?: string; path?: string; headers?: object } = {},
): Promise<Reply> {
  const isChunked = "Transfer-Encoding" in headers;
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const length = body === undefined || isChunked ? {} : { "Content-Length": Buffer.byteLength(body) };
  const outgoing = request({
    host: url.hostname,
    port: url.port,
    method,
    path,
    headers: { ...json, ...length, ...headers },
    agent: false,
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not every answer is JSON.
  }
  return { status: response.statusCode!, headers: response.headers, text, json: parsed };
}

export const call = (id: number, name: string, args: object = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } });
