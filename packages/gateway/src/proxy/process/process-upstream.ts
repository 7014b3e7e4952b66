import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Logger } from "../../log.ts";
import { invalid } from "../answers.ts";
import { isLoopbackName } from "../http/hosts.ts";
import { lenientPath } from "../http/path.ts";
import type { AnswerHandler, Forwarded, ForwardOptions, Upstream } from "../http/upstream.ts";
import type { Message } from "./messages.ts";
import type { ServerCommand } from "./server-process.ts";
import { type Session, startSession } from "./session.ts";
import { stateless } from "./stateless.ts";

export interface ProcessUpstreamOptions extends ServerCommand {
  /** Sessions at once, each with a server of its own. @default 100 */
  readonly maxSessions?: number | undefined;
  /** A session ends when nothing happened for so long. In milliseconds. @default 30 minutes */
  readonly idleMs?: number | undefined;
  /** Names under which clients reach the gateway. */
  readonly hosts?: readonly string[] | undefined;
  readonly log: Logger;
}

/** The path of the endpoint. */
const PATH = "/mcp";
const MODERN = "2026-07-28";
const VERSION = "io.modelcontextprotocol/protocolVersion";
/** A server that reads no more is asked no more. */
const MOST_UNREAD_BYTES = 64 * 1024 * 1024;

/**
 * A server over stdio, served over HTTP (Streamable HTTP of MCP). Clients of the revisions with sessions get a server each; the others
 * share one.
 */
export function processUpstream({
  maxSessions = 100,
  idleMs = 30 * 60_000,
  hosts = [],
  log,
  ...server
}: ProcessUpstreamOptions): Upstream {
  const name = server.command.join(" ");
  const names = new Set(hosts.map((host) => host.toLowerCase()));
  const sessions = new Map<string, Session>();
  const closing = new Set<Promise<void>>();
  /** Since the last one that could be started or ended as it should. */
  let trouble: string | undefined;
  const failed = (why: Error) => {
    trouble = why.message;
    log.warn({ err: why, server: name }, "a server has ended by itself");
  };
  const shared = stateless({ server, ended: failed });

  /** A page in a browser says where it is from: it may only ask what is served under its own name. */
  function isOwnOrigin({ headers: { origin, host = "" } }: IncomingMessage): boolean {
    if (origin === undefined) return true;
    if (!URL.canParse(origin)) return false;
    const from = new URL(origin);
    return from.host === host || isLoopbackName(from.hostname) || names.has(from.hostname);
  }

  function post(request: IncomingMessage, options: ForwardOptions, answer: AnswerHandler): Forwarded {
    const { body = Buffer.alloc(0), principal } = options;
    const messages = (options.messages ?? []) as readonly Message[];
    const { accept = "*/*", "content-type": type = "", "mcp-session-id": id } = request.headers;
    if (!/^application\/json\b/i.test(type)) return said(answer, 415, "A message is application/json.");
    if (!/\*\/\*/.test(accept) && !(/application\/json/i.test(accept) && /text\/event-stream/i.test(accept))) {
      return said(answer, 406, "A client has to accept application/json and text/event-stream.");
    }
    const [first] = messages;
    if (first === undefined) return said(answer, 400, "There is no message in this request.");
    const asks = messages.filter((message) => message.method !== undefined && message.id !== undefined);
    if (isModern(request, first)) return modern(first, body, asks.length > 0, answer);
    if (asks.some(({ method }) => method === "initialize")) return initialize(body, messages, principal, answer);
    const session = sessionOf(id, principal);
    if (session === undefined) return noSession(id, answer);
    if (asks.length === 0) {
      session.tell(body);
      return bare(answer, 202);
    }
    if (session.unread > MOST_UNREAD_BYTES) return said(answer, 503, BUSY);
    if (session.isAsked(asks.map((message) => message.id))) {
      return said(answer, 400, "There is another request with this id, and it has no answer yet.");
    }
    return session.ask(body, messages, answer);
  }

  function modern(message: Message, body: Buffer, asks: boolean, answer: AnswerHandler): Forwarded {
    if (message.params?._meta?.[VERSION] === undefined) {
      const text = `A request of this revision says ${VERSION} in params._meta.`;
      return said(answer, 400, text, { code: -32_602, id: message.id });
    }
    if (shared.unread > MOST_UNREAD_BYTES) return said(answer, 503, BUSY);
    if (asks) return shared.ask(body, message, answer);
    // Cancelled is a request by leaving it: ids of clients say nothing to a server that they share.
    if (message.method !== "notifications/cancelled") shared.tell(body);
    return bare(answer, 202);
  }

  function initialize(
    body: Buffer,
    messages: readonly Message[],
    principal: string | undefined,
    answer: AnswerHandler,
  ): Forwarded {
    if (sessions.size >= maxSessions) {
      log.warn({ maxSessions, server: name }, "a client was turned away: there are as many sessions as allowed");
      return said(answer, 503, "There are as many sessions as this gateway allows. Try again later.");
    }
    const id = randomUUID();
    const session = startSession({
      id,
      server,
      principal,
      idleMs,
      ended(why) {
        sessions.delete(id);
        if (why !== undefined) failed(why);
      },
    });
    sessions.set(id, session);
    return session.ask(body, messages, answer);
  }

  function sessionOf(id: unknown, principal: string | undefined): Session | undefined {
    const session = sessions.get(String(id));
    return session?.principal === principal ? session : undefined;
  }

  function end(id: string, session: Session): void {
    sessions.delete(id);
    const closed = session.close().finally(() => closing.delete(closed));
    closing.add(closed);
  }

  return {
    name,
    path: PATH,
    seesHost: false,
    forward(request, options, answer) {
      if (lenientPath(options.path) !== PATH) return said(answer, 404, "There is nothing here.");
      if (!isOwnOrigin(request)) return said(answer, 403, "This origin may not ask this server.");
      const { "mcp-session-id": id, accept = "" } = request.headers;
      if (request.method === "POST") return post(request, options, answer);
      const isKnown = request.method === "GET" || request.method === "DELETE";
      if (!isKnown || id === undefined) {
        return said(answer, 405, "Messages are posted here.", { fields: ["allow", "GET, POST, DELETE"] });
      }
      const session = sessionOf(id, options.principal);
      if (session === undefined) return noSession(id, answer);
      if (request.method === "DELETE") {
        end(String(id), session);
        return bare(answer, 200);
      }
      if (!/text\/event-stream|\*\/\*/i.test(accept)) return said(answer, 406, "A stream is text/event-stream.");
      return session.listen(answer) ?? said(answer, 409, "There is a stream for this session already.");
    },
    problem: async () => trouble,
    async close() {
      for (const [id, session] of sessions) end(id, session);
      await Promise.all([shared.close(), ...closing]);
    },
  };
}

const BUSY = "The server behind this gateway reads no more for now. Try again later.";

/** By what the body says; the header says it for those that forgot. */
function isModern({ headers }: IncomingMessage, { method, params }: Message): boolean {
  const version = params?._meta?.[VERSION] ?? headers["mcp-protocol-version"];
  return typeof version === "string" && version >= MODERN && method !== "initialize";
}

const noSession = (id: unknown, answer: AnswerHandler): Forwarded =>
  id === undefined
    ? said(answer, 400, "A request of this revision needs the Mcp-Session-Id that initialize was answered with.")
    : said(answer, 404, "There is no such session. It begins with initialize.");

interface Saying {
  readonly code?: number;
  readonly id?: string | number | undefined;
  readonly fields?: readonly string[];
}

function said(answer: AnswerHandler, status: number, text: string, { code, id, fields = [] }: Saying = {}): Forwarded {
  const body = Buffer.from(invalid(text, id, code));
  const own = ["content-type", "application/json", "content-length", String(body.length)];
  answer.head(status, "", [...own, ...fields], { "content-type": "application/json", "content-length": own[3]! });
  answer.data(body);
  answer.end();
  return OVER;
}

function bare(answer: AnswerHandler, status: number): Forwarded {
  answer.head(status, "", ["content-length", "0"], { "content-length": "0" });
  answer.end();
  return OVER;
}

const OVER: Forwarded = { resume() {}, abort() {} };
