import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AnswerReader, deliveries, isRequest } from "sluice/mcp";
import type { Identify } from "../../identity/identify.ts";
import type { ProtectedResource } from "../../identity/resource.ts";
import type { Logger } from "../../log.ts";
import { type Reading, readMessage } from "../../message/read-message.ts";
import { headerMismatchAnswer, invalid, rejections, serverFailed, tooLarge } from "../answers.ts";
import type { Gates } from "../gates.ts";
import { withoutTicketOf } from "../without-ticket.ts";
import { Client } from "./client.ts";
import { rememberedCors } from "./cors.ts";
import { headerMismatch } from "./header-mismatch.ts";
import { endToEnd } from "./headers.ts";
import { gotNoAnswer, type Passing, readerFor } from "./heard.ts";
import { hostCheck } from "./hosts.ts";
import { type Mount, mountFinder, type Target } from "./mounts.ts";
import { lenientPath } from "./path.ts";
import { readBody, type Unread } from "./read-body.ts";
import type { ForwardOptions } from "./upstream.ts";

export interface HttpProxyOptions {
  /** The servers behind. */
  readonly mounts: readonly Mount[];
  readonly gates: Gates;
  readonly log: Logger;
  /** Who sends a request: its verified principal, its address. @throws never for what a client can send */
  identify: Identify;
  /** Lets in only those whom something verified. @default everybody */
  readonly resource?: ProtectedResource | undefined;
  /** Names under which clients reach the gateway. @default any; on loopback, in front of a server elsewhere, `localhost` */
  readonly hosts?: readonly string[] | undefined;
  /** Status of refusals. */
  readonly httpStatus: 200 | 429;
  /** A larger body is answered with 413. In bytes. */
  readonly maxMessageBytes: number;
  /** A whole request has to be here within this time. In milliseconds. @default 60_000 */
  readonly patienceMs?: number;
}

export interface HttpProxy {
  readonly server: Server;
  /** No new connections; what runs may end within this time. In milliseconds. */
  close(drainMs: number): Promise<void>;
}

/** How often is looked for requests that take too long, at the most. */
const LOOK_EVERY_MS = 30_000;
/** Longer than a load balancer keeps a connection, so that it is never this side that closes one in use. */
const KEEP_ALIVE_MS = 75_000;

/** Bodies of these are nobody's messages: uploads and the forms of OAuth are passed on as they come. */
const FORMS = /^\s*(application\/x-www-form-urlencoded|multipart\/form-data)\b/i;

/**
 * The limits in front of servers over HTTP. Only requests of MCP are looked at; everything else passes, and every
 * status but those of refusals is the server's own. Bodies are passed on as they came.
 */
export function httpProxy(options: HttpProxyOptions): HttpProxy {
  const { mounts, gates, log, identify, resource, httpStatus, maxMessageBytes, patienceMs = 60_000 } = options;
  const find = mountFinder(mounts);
  const isMeant = hostCheck(options.hosts);
  const mcpPaths = new Map(mounts.map((mount) => [mount, lenientPath(mount.upstream.path)]));
  const cors = rememberedCors();
  /** Only made when a policy looks at headers. */
  const headersOf = (request: IncomingMessage) =>
    gates.readsHeaders === false ? {} : { headers: fetchHeaders(request) };
  let isStopping = false;
  const { decide } = deliveries(gates.current, {
    httpStatus,
    onFailure: (error) => log.error({ err: error }, "a request could not be decided about"),
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = find(request.url ?? "/");
    if (resource?.metadata !== undefined && request.url === resource.metadata.path) {
      return answer(request, response, 200, resource.metadata.text);
    }
    if (target === undefined) return answer(request, response, 404, NO_SERVER);
    if (!isMeant(request, target.mount.upstream)) return answer(request, response, 421, NOT_MEANT);
    const client = new Client(response);
    const isMcp = target.url === target.mount.upstream.path || lenientPath(target.url) === mcpPaths.get(target.mount);
    if (!mayHaveMessages(request, isMcp)) {
      if (!isMcp) return pass(target, request, response, client);
      const known = await whoAsks(request, response);
      return known && pass(target, request, response, client, { principal: principalOf(known) });
    }
    if (isEncoded(request)) return answer(request, response, 415, rejections(ENCODED));
    const body = await readBody(request, maxMessageBytes, patienceMs);
    if (typeof body === "string") return unread(request, response, body);
    const reading = readMessage(body);
    if (!isMcp && !isMessage(reading)) return pass(target, request, response, client, { body });
    if (reading.kind !== "messages") return answer(request, response, 400, rejections(reading));
    const { messages, isBatch } = reading;
    const mismatch = isBatch ? undefined : headerMismatch(request.headers, messages[0]);
    if (mismatch !== undefined) return answer(request, response, 400, headerMismatchAnswer(messages[0], mismatch));
    const known = await whoAsks(request, response);
    if (known === undefined) return;
    const origin = {
      ...known,
      ...headersOf(request),
      sessionId: sessionOf(request),
      path: target.mount.path,
    };
    const gate = gates.current;
    const delivery = {
      body: isBatch ? messages : messages[0],
      origin,
      get signal() {
        return client.signal;
      },
    };
    const ruling = await decide(delivery, gate);
    if (ruling.kind === "pass") {
      const carried = { body: withoutTicketOf(ruling, body), messages, principal: principalOf(known) };
      return pass(target, request, response, client, carried, { ...ruling, gate, origin });
    }
    if (ruling.kind === "cancelled") return void response.writeHead(202).end();
    // A client of the old transport hears answers elsewhere than here: it has to see that this is none.
    const status = isMcp ? ruling.status : 429;
    answer(request, response, status, JSON.stringify(ruling.body), ruling.fields);
  }

  /** Nothing when it has to be known, and is not. */
  async function whoAsks(request: IncomingMessage, response: ServerResponse): Promise<Who | undefined> {
    const known = await identify(request);
    if (resource === undefined || known.authInfo !== undefined) return known;
    answer(request, response, 401, NOT_KNOWN, ["www-authenticate", resource.challenge]);
    return undefined;
  }

  function pass(
    { mount: { upstream }, url }: Target,
    request: IncomingMessage,
    response: ServerResponse,
    client: Client,
    carried: Pick<ForwardOptions, "body" | "messages" | "principal"> = {},
    passing?: Passing,
  ): void {
    const options = { ...carried, path: url, address: request.socket.remoteAddress };
    let reader: AnswerReader | undefined;
    const forwarded = upstream.forward(request, options, {
      head(status, text, fields, headers) {
        cors.learn(request, headers);
        // A client that keeps a connection would send its next call where soon nobody is.
        if (isStopping) response.shouldKeepAlive = false;
        response.writeHead(status, text, endToEnd(fields));
        // A stream of events begins before its first event; what has a length follows at once.
        if (headers["content-length"] === undefined) response.write(NO_BYTES);
        if (passing !== undefined) reader = readerFor(passing, status, headers, gates.sawTools);
      },
      data(chunk) {
        reader?.push(chunk);
        return response.write(chunk);
      },
      end() {
        reader?.end();
        response.end();
      },
      failed(error) {
        if (passing !== undefined) gotNoAnswer(passing);
        // In the middle of an answer there is nothing else to say. What ran there has ended, and not because of the client.
        if (response.headersSent) {
          client.hasAll();
          return void response.destroy();
        }
        log.warn({ err: error, upstream: upstream.name }, "the server behind did not answer");
        answer(request, response, 502, serverFailed(passing?.requests ?? []));
      },
    });
    client.waitsFor(forwarded, passing?.admission);
  }

  function unread(request: IncomingMessage, response: ServerResponse, why: Unread): void {
    if (why === "gone") return;
    if (why === "too large") {
      answer(request, response, 413, tooLarge(maxMessageBytes));
      // One that is cut off while it sends does not hear the answer. The rest is read and dropped, for as long as a request may take.
      return void request.resume();
    }
    response.shouldKeepAlive = false;
    answer(request, response, 408, rejections({ kind: "unreadable", why: "it did not come to its end in time" }));
  }

  function answer(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    text: string,
    fields: readonly string[] = [],
  ): void {
    if (response.headersSent || response.destroyed) return;
    if (isStopping) response.shouldKeepAlive = false;
    const body = Buffer.from(text);
    const own = ["content-type", "application/json", "content-length", String(body.length)];
    response.writeHead(status, [...own, ...cors.fieldsFor(request), ...fields]).end(body);
  }

  const timeouts = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: patienceMs,
    requestTimeout: patienceMs,
    connectionsCheckingInterval: Math.min(patienceMs, LOOK_EVERY_MS),
  };
  const server = createServer(timeouts, (request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (response.destroyed) return;
      log.error({ err: error }, "a request failed in the gateway");
      answer(request, response, 500, serverFailed([]));
    });
  });
  return {
    server,
    close(drainMs) {
      isStopping = true;
      return drained(server, drainMs).finally(() => Promise.all(mounts.map(({ upstream }) => upstream.close())));
    },
  };
}

type Who = Awaited<ReturnType<Identify>>;

/** Whom a session belongs to. */
const principalOf = ({ authInfo }: Who): string | undefined =>
  authInfo && JSON.stringify([authInfo.clientId, authInfo.extra?.sub]);

/** Sends the head as it is: `flushHeaders` would write what is not ASCII in UTF-8. */
const NO_BYTES = Buffer.alloc(0);

const NO_SERVER = invalid("There is no server of this gateway at this path.");
const NOT_KNOWN = invalid("Say who you are: this gateway asks for a valid token or key.");
const NOT_MEANT = invalid(
  "This gateway is not known by the name in the Host header. Its operator can list the names that it has: hosts, in the policy file.",
);

/** What has no body has no message, and what is a form is none. */
function mayHaveMessages({ method, headers }: IncomingMessage, isMcp: boolean): boolean {
  if (method === "GET" || method === "HEAD" || method === "OPTIONS" || method === "DELETE") return false;
  if (headers["content-length"] === "0") return false;
  return isMcp || !FORMS.test(headers["content-type"] ?? "");
}

/** A body that would have to be unpacked first, or is not UTF-8, is read by nobody twice in the same way. */
function isEncoded({ headers }: IncomingMessage): boolean {
  const { "content-encoding": encoding = "identity", "content-type": type = "" } = headers;
  const charset = /charset\s*=\s*"?([\w-]+)/i.exec(type)?.[1] ?? "utf-8";
  return encoding.toLowerCase() !== "identity" || !/^(utf-?8|us-ascii)$/i.test(charset);
}

const ENCODED: Reading & { kind: "unreadable" } = {
  kind: "unreadable",
  why: "its body is compressed, or in another charset than UTF-8",
};

/** Whether this is a message of MCP, wherever it was sent: a server may hear them on other paths, too. */
function isMessage(reading: Reading): boolean {
  if (reading.kind === "ambiguous") return reading.ids.length > 0;
  return (
    reading.kind === "messages" && reading.messages.some((message: any) => isRequest(message) && "jsonrpc" in message)
  );
}

const sessionOf = ({ headers }: IncomingMessage): string | undefined => {
  const { "mcp-session-id": id } = headers;
  return typeof id === "string" ? id : undefined;
};

function fetchHeaders({ headers }: IncomingMessage): Headers {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  );
  return new Headers(entries);
}

async function drained(server: Server, drainMs: number): Promise<void> {
  // A connection whose answer began before is not kept after it: nobody would close it, and all would wait until the end.
  server.keepAliveTimeout = 1;
  server.keepAliveTimeoutBuffer = 0;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(timer);
}
