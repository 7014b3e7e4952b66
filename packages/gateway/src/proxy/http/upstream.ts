import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { type Dispatcher, Pool } from "undici";
import { endToEnd, withElement, withField } from "./headers.ts";
import { isLoopbackName } from "./hosts.ts";

/** A server over HTTP that the gateway stands in front of. */
export interface HttpUpstream {
  /** Where its MCP endpoint is. */
  readonly url: URL;
  /** Whether it is on this machine, and so gets the `Host` that the client sent. */
  readonly isLoopback: boolean;
  /** Asks it the same as the client. */
  forward(request: IncomingMessage, options: ForwardOptions, answer: AnswerHandler): Forwarded;
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

/** Hears the answer of a server. */
interface AnswerHandler {
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

/** As much as Node allows twice over. */
const LARGEST_HEAD = 32_768;

/**
 * A server on this machine gets the `Host` that the client sent: it may check it against DNS rebinding. Any other is
 * known under its own name.
 *
 * Asked by undici's `dispatch`: unlike `fetch` it changes nothing of a request or an answer, and here it waits for as long as a stream
 * is open. Idle connections are kept for as long as the server says; no request is ever sent twice.
 */
export function httpUpstream(url: URL, { connectTimeoutMs = 10_000 } = {}): HttpUpstream {
  const pool = new Pool(url.origin, {
    connections: null,
    pipelining: 1,
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: LARGEST_HEAD,
    connect: { timeout: connectTimeoutMs },
  });
  const isLoopback = isLoopbackName(url.hostname);

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
    isLoopback,
    forward(request, options, answer) {
      const { path, body } = options;
      const forwarded = new Dispatched(answer);
      const hasBody =
        request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
      pool.dispatch(
        {
          method: request.method as Dispatcher.HttpMethod,
          path,
          headers: headersFor(request, options),
          body: body ?? (hasBody ? request : null),
        },
        forwarded,
      );
      return forwarded;
    },
    close: () => void pool.destroy(),
  };
}

/** One request on its way. One object, because each has one. */
class Dispatched implements Dispatcher.DispatchHandler, Forwarded {
  /** Until it is over. */
  #answer: AnswerHandler | undefined;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(answer: AnswerHandler) {
    this.#answer = answer;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#answer === undefined) controller.abort(ABORTED);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
    text = "",
  ): void {
    // What comes before the answer (RFC 9110 §15.2) is for the connection.
    if (status < 200) return;
    const raw = (controller.rawHeaders ?? []) as (Buffer | string)[];
    const fields = raw.map((field) => (typeof field === "string" ? field : field.toString("latin1")));
    this.#answer?.head(status, text, fields, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#answer?.data(chunk) === false) controller.pause();
  }

  onResponseEnd(): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.failed(error);
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(): void {
    if (this.#answer === undefined) return;
    this.#answer = undefined;
    this.#controller?.abort(ABORTED);
  }
}

const ABORTED = new Error("The client has gone.");
