import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { endToEnd, withElement, withField } from "./headers.ts";

/** A server over HTTP that the gateway stands in front of. */
export interface HttpUpstream {
  /** Where its MCP endpoint is. */
  readonly url: URL;
  /** Asks it the same as the client. Calls back when the head of its answer is there. */
  forward(
    request: IncomingMessage,
    options: ForwardOptions,
    onAnswer: (answer: IncomingMessage) => void,
  ): ClientRequest;
  close(): void;
}

interface ForwardOptions {
  /** Path and query, as the upstream knows them. */
  readonly path: string;
  /** The body as it came; without it the request is passed on as it comes in. */
  readonly body?: Buffer | undefined;
  /** The client's address. */
  readonly address: string | undefined;
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
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);

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
    forward(request, options, onAnswer) {
      const { path, body } = options;
      const headers = headersFor(request, options) as unknown as OutgoingHttpHeaders;
      const outgoing = ask({ agent, host, port, method: request.method, path, headers, setHost: false }, onAnswer);
      outgoing.on("socket", (socket) => {
        if (!socket.connecting) return;
        const timer = setTimeout(() => outgoing.destroy(new Error("it takes too long to connect")), connectTimeoutMs);
        socket.once("connect", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
      });
      if (body !== undefined) outgoing.end(body);
      else request.pipe(outgoing);
      return outgoing;
    },
    close: () => agent.destroy(),
  };
}
