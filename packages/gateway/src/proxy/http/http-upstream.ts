import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { type Dispatcher, Pool } from "undici";
import { endToEnd, withElement, withField } from "./headers.ts";
import { isLoopbackName } from "./hosts.ts";
import { listens } from "./listens.ts";
import type { AnswerHandler, Forwarded, ForwardOptions, Upstream } from "./upstream.ts";

/** As much as Node allows twice over. */
const LARGEST_HEAD = 32_768;

/**
 * A server over HTTP.
 *
 * One on this machine gets the `Host` that the client sent: it may check it against DNS rebinding. Any other is
 * known under its own name.
 *
 * Asked by undici's `dispatch`: unlike `fetch` it changes nothing of a request or an answer, and here it waits for as long as a stream
 * is open. Idle connections are kept for as long as the server says; no request is ever sent twice.
 */
export function httpUpstream(url: URL, { connectTimeoutMs = 10_000 } = {}): Upstream {
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
    name: url.host,
    path: url.pathname,
    seesHost: isLoopback,
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
    problem: async () => ((await listens(url)) ? undefined : `the server behind, ${url.host}, cannot be reached`),
    close: () => pool.destroy(),
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
