import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isPromise } from "../../limiter/reply.ts";
import { clientContext } from "../client-context.ts";
import { ClientAddressError, type ClientAddressOptions, clientAddress } from "./client-address.ts";
import { createGuard, type GuardOptions, type Refusal, type Ruling } from "./guard.ts";
import { answerBy, nodeHost, sendProblem, setHeaders } from "./node-host.ts";
import type { NodeListener, NodeRequest, NodeResponse } from "./types.ts";

export { ClientAddressError, type ClientAddressOptions } from "./client-address.ts";
export type { HttpDecisionEvent, Refusal, Ruling } from "./guard.ts";

export type NodeRateLimitOptions<
  Q extends NodeRequest = IncomingMessage,
  S extends NodeResponse = ServerResponse,
> = GuardOptions<Q, S> & {
  /** Answers a refused request; status and header fields are set already. @default a problem document (RFC 9457) */
  readonly onRefused?: (refusal: Refusal, request: Q, response: S) => unknown;
  /**
   * Answers when no decision could be made: the store, or a function of these options, failed.
   *
   * @default the error goes to `console.error`, the client gets status 500
   */
  readonly onError?: (error: unknown, request: Q, response: S) => unknown;
};

/** Whether the request may pass; if not, it has been answered. At once when the store is in memory. */
export type NodeCheck<Q, S> = (request: Q, response: S) => boolean | Promise<boolean>;

/**
 * Limits a listener of `node:http` (or `https`, `http2`), or is a check for use inside of one.
 *
 * @example
 * createServer(rateLimit(listener, { quota: "60/min" }));
 *
 * @example
 * const check = rateLimit({ quota: "60/min" });
 * createServer(async (request, response) => {
 *   if (await check(request, response)) response.end("hello");
 * });
 */
export function rateLimit<Q extends NodeRequest = IncomingMessage, S extends NodeResponse = ServerResponse>(
  listener: (request: Q, response: S) => unknown,
  options: NodeRateLimitOptions<Q, S>,
): (request: Q, response: S) => void;
export function rateLimit<Q extends NodeRequest = IncomingMessage, S extends NodeResponse = ServerResponse>(
  options: NodeRateLimitOptions<Q, S>,
): NodeCheck<Q, S>;
export function rateLimit<Q extends NodeRequest, S extends NodeResponse>(
  first: ((request: Q, response: S) => unknown) | NodeRateLimitOptions<Q, S>,
  second?: NodeRateLimitOptions<Q, S>,
): ((request: Q, response: S) => void) | NodeCheck<Q, S> {
  if (typeof first !== "function") return checkOf(first);
  if (second === undefined)
    throw new TypeError('rateLimit(listener, options) needs options, such as { quota: "60/min" }.');
  const listener = first;
  const check = checkOf(second);
  return (request, response) => {
    const isAllowed = check(request, response);
    if (isAllowed === true) listener(request, response);
    else if (isAllowed !== false)
      return isAllowed.then((mayPass) => (mayPass ? listener(request, response) : undefined));
  };
}

function checkOf<Q extends NodeRequest, S extends NodeResponse>(options: NodeRateLimitOptions<Q, S>): NodeCheck<Q, S> {
  const { onRefused, onError = answerError } = options;
  const guard = createGuard<Q, S>(nodeHost, options);

  function settle(ruling: Ruling | undefined, request: Q, response: S): boolean | Promise<boolean> {
    if (ruling === undefined) return true;
    const { headers, problem } = ruling;
    if (problem !== undefined && onRefused === undefined) {
      sendProblem(response, headers, problem);
      return false;
    }
    setHeaders(response, headers);
    if (problem === undefined || onRefused === undefined) return true;
    return answerBy(() => onRefused({ ...ruling, problem }, request, response), response, problem).then(() => false);
  }

  async function fail(error: unknown, request: Q, response: S): Promise<false> {
    await onError(error, request, response);
    return false;
  }

  return (request, response) => {
    try {
      const ruling = guard(request, response);
      const settled = isPromise(ruling)
        ? (ruling as Promise<Ruling | undefined>).then((one) => settle(one, request, response))
        : settle(ruling, request, response);
      return typeof settled === "boolean" ? settled : settled.catch((error) => fail(error, request, response));
    } catch (error) {
      return fail(error, request, response);
    }
  };
}

/** `node:http` has nobody else to tell: an error that leaves a listener ends the process. */
function answerError(error: unknown, _request: NodeRequest, response: NodeResponse): void {
  console.error("sluice: no decision on a request, answered with status 500.", error);
  if (!response.headersSent) {
    response.statusCode = 500;
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
  }
  response.end("Internal Server Error");
}

/**
 * Reads the client's address from a request of `node:http`: `"192.0.2.1"` or `"2001:db8::/56"`; `undefined` when it cannot be told.
 *
 * @throws RangeError, TypeError for options that cannot be.
 */
export function clientAddressOf(options: ClientAddressOptions = {}): (request: NodeRequest) => string | undefined {
  const addressOf = clientAddress<NodeRequest>(nodeHost.headerOf, options);
  return (request) => {
    try {
      return addressOf(request, nodeHost.peerOf(request, undefined));
    } catch (error) {
      if (error instanceof ClientAddressError) return undefined;
      throw error;
    }
  };
}

/**
 * Lets code inside of a listener know the client's address, such as `limitFetch` of `sluice/mcp`, which
 * gets a web `Request` and cannot see the socket.
 *
 * A request whose address cannot be told is passed on without one.
 */
export function withClientAddress(listener: NodeListener, options: ClientAddressOptions = {}): NodeListener {
  clientContext.use(new AsyncLocalStorage<string>());
  const addressOf = clientAddressOf(options);
  return (request: NodeRequest, ...rest: unknown[]) => {
    const address = addressOf(request);
    if (address === undefined) return listener(request, ...rest);
    return clientContext.run(address, () => listener(request, ...rest));
  };
}
