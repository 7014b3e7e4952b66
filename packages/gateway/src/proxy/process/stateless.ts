import { valuesIn, withValues } from "../../message/values.ts";
import type { AnswerHandler, Forwarded } from "../http/upstream.ts";
import { Exchange } from "./exchange.ts";
import { isAnswer, isRequestId, type Message, messagesIn } from "./messages.ts";
import { type ServerCommand, type ServerProcess, startServer } from "./server-process.ts";

export interface StatelessOptions {
  readonly server: ServerCommand;
  /** The server has ended while it was wanted. */
  ended(why: Error): void;
}

/** One server for all clients of the revisions from 2026-07-28 on: their requests know nothing of each other. */
export interface Stateless {
  ask(body: Buffer, message: Message, answer: AnswerHandler): Forwarded;
  tell(body: Buffer): void;
  readonly unread: number;
  close(): Promise<void>;
}

/** A request on its way. Its number is its id and its progress token for the server, because those of clients are not unique. */
interface Asked {
  readonly exchange: Exchange;
  /** As the client wrote them. */
  readonly id: string;
  readonly token: string | undefined;
  /** Whether it wants log messages. */
  readonly logs: boolean;
}

const ID = ["id"];
const TOKEN = ["params", "_meta", "progressToken"];
const SAID_TOKEN = ["params", "progressToken"];
const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";

/** What refuses a request before anything runs has a status of its own over HTTP (MCP 2026-07-28, transports). */
const STATUS: Readonly<Record<number, number>> = { [-32_601]: 404, [-32_020]: 400, [-32_021]: 400, [-32_022]: 400 };

/** Starts with the first request, and again after the server has ended. */
export function stateless({ server, ended }: StatelessOptions): Stateless {
  const asked = new Map<number, Asked>();
  let running: ServerProcess | undefined;
  let isClosing = false;
  let last = 0;

  const process = () =>
    (running ??= startServer(server, {
      line: fromServer,
      ended(why) {
        running = undefined;
        const failed = [...asked.values()];
        asked.clear();
        for (const { exchange } of failed) exchange.fail(why);
        if (!isClosing) ended(why);
      },
    }));

  function fromServer(line: Buffer): void {
    const [message] = messagesIn(line);
    if (message === undefined) return;
    if (isAnswer(message)) return void answered(line, message);
    // Servers of these revisions ask nobody.
    if (message.id !== undefined) return void refuse(message);
    const { progressToken, _meta = {} } = message.params ?? {};
    const subscription = _meta[SUBSCRIPTION];
    const progress = asked.get(progressToken as number);
    const subscriber = asked.get(subscription as number);
    if (progress?.token !== undefined) {
      progress.exchange.event(withValues(line, [{ path: SAID_TOKEN, text: progress.token }]));
    } else if (subscriber !== undefined) {
      subscriber.exchange.event(withValues(line, [{ path: ["params", "_meta", SUBSCRIPTION], text: subscriber.id }]));
    } else if (message.method === "notifications/message") log(line);
  }

  /** Nothing says whose a log message is: with two who could be meant, nobody hears what may be the other's. */
  function log(line: Buffer): void {
    const wanting = [...asked.values()].filter(({ logs }) => logs);
    if (wanting.length === 1) wanting[0]!.exchange.event(line);
  }

  function answered(line: Buffer, { id, error }: Message): void {
    const request = asked.get(id as number);
    if (request === undefined) return;
    asked.delete(id as number);
    const answer = withValues(line, [
      { path: ID, text: request.id },
      { path: ["result", "_meta", SUBSCRIPTION], text: request.id },
    ]);
    request.exchange.finish(answer, STATUS[error?.code ?? 0]);
  }

  function refuse({ id, method }: Message): void {
    const error = { code: -32_601, message: `${method} has no place in this revision of the protocol.` };
    running?.write(Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, error })));
  }

  return {
    ask(body, message, answer) {
      const number = ++last;
      const [id = "null", token] = valuesIn(body, [ID, TOKEN]);
      const exchange = new Exchange(answer, {
        ids: isRequestId(message.id) ? [message.id] : [],
        aborted() {
          if (!asked.delete(number)) return;
          const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: number } };
          running?.write(Buffer.from(JSON.stringify(cancelled)));
        },
      });
      asked.set(number, { exchange, id, token, logs: message.params?._meta?.[LOG_LEVEL] !== undefined });
      const text = String(number);
      process().write(
        withValues(body, [
          { path: ID, text },
          { path: TOKEN, text },
        ]),
      );
      return exchange;
    },
    tell: (body) => running?.write(body),
    get unread() {
      return running?.unread ?? 0;
    },
    async close() {
      isClosing = true;
      await running?.close();
    },
  };
}
