import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { endToEnd, withElement, withField } from "./headers.ts";

/** A server over HTTP that the gateway stands in front of. */
export interface HttpUpstream {
  /** Where its MCP endpoint is. */
  readonly url: URL;
  /** Asks it the same as the client. Resolves when the head of its answer is there. @throws when there is none */
  forward(request: IncomingMessage, options: ForwardOptions): Promise<IncomingMessage>;
  close(): void;
}

interface ForwardOptions {
  /** Path and query, as the upstream knows them. */
  readonly path: string;
  /** The body as it came; without it the request is passed on as it comes in. */
  readonly body?: Buffer | undefined;
  /** The client's address. */
  readonly address: string | undefined;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * A server on this machine gets the `Host` that the client sent: it may check it against DNS rebinding. Any other is
 * known under its own name.
 */
export function httpUpstream(url: URL, { connectTimeoutMs = 10_000 } = {}): HttpUpstream {
  const isTls = url.protocol === "https:";
  // Idle sockets are kept; what the server says of how long (keep-alive: timeout=5) is kept to by the agent.
  const options = { keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256 };
  const agent = isTls ? new HttpsAgent(options) : new HttpAgent(options);
  const ask = isTls ? httpsRequest : httpRequest;
  const isLoopback = LOOPBACK.test(url.hostname);

  function headersFor(request: IncomingMessage, { body, address }: ForwardOptions): string[] {
    let fields = endToEnd(request.rawHeaders);
    if (!isLoopback) {
      fields = withElement(fields, "x-forwarded-host", request.headers.host ?? "");
      fields = withField(fields, "host", url.host);
    }
    if (address !== undefined) fields = withElement(fields, "x-forwarded-for", address);
    // A body that came in pieces is sent as one.
    return body === undefined ? fields : withField(fields, "content-length", String(body.length));
  }

  return {
    url,
    forward(request, options) {
      const { path, body, signal } = options;
      return new Promise((resolve, reject) => {
        const outgoing = ask({
          agent,
          host: url.hostname.replace(/^\[|\]$/g, ""),
          port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
          method: request.method,
          path,
          headers: headersFor(request, options) as unknown as OutgoingHttpHeaders,
          signal,
          setHost: false,
        });
        outgoing.on("response", resolve).on("error", reject);
        outgoing.on("socket", (socket) => {
          if (!socket.connecting) return;
          const timer = setTimeout(() => outgoing.destroy(new Error("it takes too long to connect")), connectTimeoutMs);
          socket.once("connect", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
        });
        if (body !== undefined) outgoing.end(body);
        else request.pipe(outgoing);
      });
    },
    close: () => agent.destroy(),
  };
}
