import { isPromise } from "../../limiter/reply.ts";
import { createGuard, type GuardOptions, type Refusal, type Ruling } from "./guard.ts";
import { answerBy, nodeHost, sendProblem, setHeaders } from "./node-host.ts";
import type { ExpressNext, ExpressRequest, ExpressResponse } from "./types.ts";

export { ClientAddressError, type ClientAddressOptions } from "./client-address.ts";
export type { HttpDecisionEvent, Refusal, Ruling } from "./guard.ts";

export type ExpressRateLimitOptions<
  Q extends ExpressRequest = ExpressRequest,
  S extends ExpressResponse = ExpressResponse,
> = GuardOptions<Q, S> & {
  /** Answers a refused request; status and header fields are set already. @default a problem document (RFC 9457) */
  readonly onRefused?: (refusal: Refusal, request: Q, response: S, next: ExpressNext) => unknown;
};

/**
 * Middleware for Express 4 and 5. What goes wrong is passed to `next`.
 *
 * Reads the client's address from the socket and its own `trustProxy`, not Express' setting "trust proxy";
 * who wants that one gives `address: (request) => request.ip`.
 *
 * @example
 * app.use(rateLimit({ quota: "60/min" }));
 */
export function rateLimit<Q extends ExpressRequest = ExpressRequest, S extends ExpressResponse = ExpressResponse>(
  options: ExpressRateLimitOptions<Q, S>,
): (request: Q, response: S, next: ExpressNext) => void {
  const { onRefused } = options;
  const guard = createGuard<Q, S>(nodeHost, options);

  function settle(ruling: Ruling | undefined, request: Q, response: S, next: ExpressNext): unknown {
    if (ruling === undefined) return next();
    const { headers, problem } = ruling;
    if (problem !== undefined && onRefused === undefined) return sendProblem(response, headers, problem);
    setHeaders(response, headers);
    if (problem === undefined || onRefused === undefined) return next();
    return answerBy(() => onRefused({ ...ruling, problem }, request, response, next), response, problem);
  }

  return (request, response, next) => {
    const ruling = guard(request, response);
    const settled = isPromise(ruling)
      ? ruling.then((one) => settle(one, request, response, next))
      : settle(ruling, request, response, next);
    if (isPromise(settled)) settled.then(undefined, next);
  };
}
