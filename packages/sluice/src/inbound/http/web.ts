import { PROBLEM_TYPE, problemBody, type RateLimitProblem } from "../../answers/problem.ts";
import { createGuard, type GuardHost, type GuardOptions, type Refusal, type Ruling } from "./guard.ts";
import type { RestOf, WebHandler } from "./types.ts";

export { ClientAddressError, type ClientAddressOptions } from "./client-address.ts";
export type { HttpDecisionEvent, Refusal, Ruling } from "./guard.ts";

export type WebRateLimitOptions<I = unknown> = GuardOptions<Request, I> & {
  /** Answers a refused request; the header fields are added to it. @default a problem document (RFC 9457) */
  readonly onRefused?: (refusal: Refusal, request: Request) => Response | PromiseLike<Response>;
};

/**
 * Limits a handler of web requests, as Deno, Bun, Workers and frameworks take it.
 *
 * A web request does not say who sent it: give `key`, or `address`.
 *
 * @example
 * export default {
 *   fetch: rateLimit(handler, { quota: "60/min", address: (request) => request.headers.get("cf-connecting-ip") }),
 * };
 *
 * @throws TypeError when neither `key` nor `address` is given.
 */
export function rateLimit<H extends WebHandler>(
  handler: H,
  options: WebRateLimitOptions<RestOf<H>[0]>,
): (request: Request, ...rest: RestOf<H>) => Promise<Response> {
  const { key, address, onRefused } = options;
  if (key === undefined && address === undefined) {
    throw new TypeError(
      "A web request does not say who sent it: give rateLimit `key`, or `address`, such as (request) => request.headers.get(" +
        '"cf-connecting-ip").',
    );
  }
  const guard = createGuard<Request, RestOf<H>[0]>(webHost, options);

  return async (request, ...rest) => {
    const ruling = await guard(request, rest[0]);
    if (ruling === undefined) return handler(request, ...rest);
    if (!isRefusal(ruling)) return withHeaders(await handler(request, ...rest), ruling.headers);
    const answer = onRefused === undefined ? problemResponse(ruling.problem) : await onRefused(ruling, request);
    return withHeaders(answer, ruling.headers);
  };
}

const webHost: GuardHost<Request, unknown> = {
  headerOf: (request, name) => request.headers.get(name),
  peerOf: () => undefined,
};

const isRefusal = (ruling: Ruling): ruling is Refusal => ruling.problem !== undefined;

function problemResponse(problem: RateLimitProblem): Response {
  return new Response(problemBody(problem), { status: problem.status, headers: { "Content-Type": PROBLEM_TYPE } });
}

/** The response with these header fields, except those that it has from a limit further in. */
function withHeaders(response: Response, headers: readonly string[]): Response {
  try {
    return add(response, headers);
  } catch {
    // What comes from `fetch` or `Response.redirect` cannot be changed.
    return add(new Response(response.body, response), headers);
  }
}

function add(response: Response, headers: readonly string[]): Response {
  for (let i = 0; i < headers.length; i += 2) {
    if (!response.headers.has(headers[i]!)) response.headers.set(headers[i]!, headers[i + 1]!);
  }
  return response;
}
