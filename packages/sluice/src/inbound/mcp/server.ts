import { createMcpGate } from "./gate.ts";
import type { McpRateLimitOptions } from "./options.ts";
import { gateTransport } from "./transport.ts";
import type { ServerLike, TransportLike } from "./types.ts";

/**
 * The same server, whose requests are limited.
 *
 * Fits anything with a `connect(transport)` method: both generations of the official SDK, over stdio
 * and HTTP, with and without sessions, and inside the factory that `createMcpHandler` and
 * `serveStdio` call. The limits live in the store, not in the server: a new server for each request
 * still is one limit.
 *
 * Inside `createMcpHandler` use it over a store in memory and without `wait`; otherwise put
 * `limitFetch` around the handler, because that SDK chooses the HTTP status in the same turn.
 *
 * @example
 * const server = rateLimit(new McpServer({ name: "demo", version: "1.0.0" }), {
 *   perClient: "100/min",
 *   tools: { search: "10/min" },
 * });
 *
 * @throws RangeError, TypeError for limits that cannot be.
 */
export function rateLimit<S extends ServerLike>(server: S, options: McpRateLimitOptions): S {
  const gate = createMcpGate(options);
  const connect = server.connect.bind(server);
  server.connect = (transport: TransportLike, ...rest: unknown[]) => connect(gateTransport(transport, gate), ...rest);
  return server;
}

/** The same transport, whose requests are limited: for `serveStdio(factory, { transport })`. */
export function limitTransport<T extends TransportLike>(transport: T, options: McpRateLimitOptions): T {
  return gateTransport(transport, createMcpGate(options));
}
