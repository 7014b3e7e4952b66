import type { AnswerHandler, Forwarded } from "../http/upstream.ts";
import { Exchange, type RequestId } from "./exchange.ts";
import { isAnswer, isRequestId, type Message, messagesIn } from "./messages.ts";
import { type ServerCommand, startServer } from "./server-process.ts";

export interface SessionOptions {
  readonly id: string;
  readonly server: ServerCommand;
  /** Whom it belongs to, if that was verified. */
  readonly principal: string | undefined;
  /** It ends when nothing happened for so long. In milliseconds. */
  readonly idleMs: number;
  /** It is over: `why` is missing when that was wanted. */
  ended(why?: Error): void;
}

/** A session of the revisions up to 2025-11-25: one client, and a server of its own. */
export interface Session {
  readonly principal: string | undefined;
  /** Messages of the client, of which some are requests. */
  ask(body: Buffer, messages: readonly Message[], answer: AnswerHandler): Forwarded;
  /** Messages that nobody answers. */
  tell(body: Buffer): void;
  /** Which of these has been asked and not been answered yet. */
  isAsked(ids: readonly unknown[]): boolean;
  /** What belongs to no request; `undefined` when somebody listens already. */
  listen(answer: AnswerHandler): Forwarded | undefined;
  /** Bytes that the server has not read yet. */
  readonly unread: number;
  close(): Promise<void>;
}

/** Messages that are kept until the client listens. */
const LONGEST_BACKLOG = 1_000;

/**
 * Starts a server for one client. The server says over stdio what it says, and nothing tells which request that belongs to: answers go
 * by their ids, progress by its token, and everything else to the latest request that is still open, else to the stream that listens.
 */
export function startSession({ id, server, principal, idleMs, ended }: SessionOptions): Session {
  const byId = new Map<RequestId, Exchange>();
  const byToken = new Map<RequestId, Exchange>();
  const open = new Set<Exchange>();
  /** What the session began with. */
  let first: Exchange | undefined;
  let listener: Exchange | undefined;
  let backlog: Buffer[] = [];
  let blocked = 0;
  const child = startServer(server, {
    line: fromServer,
    ended(why) {
      clearTimeout(idle);
      for (const exchange of open) exchange.fail(why);
      listener?.end();
      ended(isClosing ? undefined : why);
    },
  });
  let isClosing = false;
  const idle = setTimeout(() => {
    if (open.size > 0 || listener !== undefined) idle.refresh();
    else void close();
  }, idleMs).unref();

  const flow = (isBlocked: boolean) => {
    blocked += isBlocked ? 1 : -1;
    if (blocked === 0) child.resume();
    else child.pause();
  };

  function fromServer(line: Buffer): void {
    const messages = messagesIn(line);
    const answers = messages.filter(isAnswer);
    if (answers.length > 0) return void answered(line, answers);
    const [message] = messages;
    if (message === undefined) return;
    const to = byToken.get(message.params?.progressToken ?? "") ?? [...open].at(-1) ?? listener;
    if (to !== undefined) return void to.event(line);
    backlog.push(line);
    if (backlog.length > LONGEST_BACKLOG) backlog.shift();
  }

  function answered(line: Buffer, answers: readonly Message[]): void {
    const exchange = byId.get(answers[0]!.id!);
    if (exchange === undefined) return;
    for (const answer of answers) byId.delete(answer.id!);
    if ([...byId.values()].includes(exchange)) return void exchange.event(line);
    forget(exchange);
    if (exchange === first && answers.some(({ error }) => error !== undefined)) {
      // It has not begun.
      exchange.fields = [];
      void close();
    }
    exchange.finish(line);
  }

  function forget(exchange: Exchange): void {
    open.delete(exchange);
    for (const map of [byId, byToken]) for (const [key, value] of map) if (value === exchange) map.delete(key);
  }

  function ask(body: Buffer, messages: readonly Message[], answer: AnswerHandler): Forwarded {
    idle.refresh();
    const requests = messages.filter(({ id: asked, method }) => isRequestId(asked) && method !== undefined);
    const ids = requests.map((request) => request.id!);
    const exchange: Exchange = new Exchange(answer, { ids, aborted: () => forget(exchange), blocked: flow });
    open.add(exchange);
    for (const request of requests) {
      byId.set(request.id!, exchange);
      const token = request.params?._meta?.progressToken;
      if (isRequestId(token)) byToken.set(token, exchange);
    }
    if (requests.some(({ method }) => method === "initialize")) {
      first = exchange;
      exchange.fields = ["mcp-session-id", id];
    }
    child.write(body);
    return exchange;
  }

  async function close(): Promise<void> {
    isClosing = true;
    await child.close();
  }

  return {
    principal,
    ask,
    tell(body) {
      idle.refresh();
      child.write(body);
    },
    isAsked: (ids) => ids.some((asked) => byId.has(asked as RequestId)),
    listen(answer) {
      if (listener !== undefined) return undefined;
      idle.refresh();
      const exchange: Exchange = new Exchange(answer, {
        ids: [],
        aborted() {
          listener = undefined;
          idle.refresh();
        },
        blocked: flow,
      });
      listener = exchange;
      for (const line of backlog) exchange.event(line);
      backlog = [];
      return exchange;
    },
    get unread() {
      return child.unread;
    },
    close,
  };
}
