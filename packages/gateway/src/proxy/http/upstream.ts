import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** A server that the gateway stands in front of. */
export interface Upstream {
  /** For logs. */
  readonly name: string;
  /** The path of its MCP endpoint, as it knows it. */
  readonly path: string;
  /** Whether it gets the `Host` that the client sent, and so can look at it itself. */
  readonly seesHost: boolean;
  /** Asks it the same as the client. */
  forward(request: IncomingMessage, options: ForwardOptions, answer: AnswerHandler): Forwarded;
  /** Why it cannot be reached now, in words for the operator; `undefined` when it can. */
  problem(): Promise<string | undefined>;
  /** Resolves when it is no longer used. */
  close(): Promise<void>;
}

export interface ForwardOptions {
  /** Path and query, as the upstream knows them. */
  readonly path: string;
  /** The body as it came; without it the request is passed on as it comes in. */
  readonly body?: Buffer | undefined;
  /** What is in the body: the messages that were counted. */
  readonly messages?: readonly unknown[] | undefined;
  /** Who the client is, if that was verified. */
  readonly principal?: string | undefined;
  /** The client's address. */
  readonly address: string | undefined;
}

/** Hears the answer of a server. */
export interface AnswerHandler {
  /** The head: status, header fields as they came (names and values in turn), and the same to look up. */
  head(status: number, text: string, fields: string[], headers: IncomingHttpHeaders): void;
  /** False: more than the client takes. `resume` of what was forwarded goes on. */
  data(chunk: Buffer): boolean;
  end(): void;
  /** There is no answer, or not all of it. */
  failed(error: Error): void;
}

/** A request that the server has, or is about to have. */
export interface Forwarded {
  resume(): void;
  /** Nobody waits for the answer any more. Nothing more is heard. */
  abort(): void;
}
