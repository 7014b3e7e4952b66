import { PROBLEM_TYPE, problemBody } from "../../answers/problem.ts";
import { isPromise } from "../../limiter/reply.ts";
import { createGuard, type GuardHost, type GuardOptions, type Refusal, type Ruling } from "./guard.ts";
import type { HonoContext } from "./types.ts";

export { ClientAddressError, type ClientAddressOptions } from "./client-address.ts";
export type { HttpDecisionEvent, Refusal, Ruling } from "./guard.ts";

export type HonoRateLimitOptions<C extends HonoContext = HonoContext> = GuardOptions<C> & {
  /** Answers a refused request; the header fields are added to it. @default a problem document (RFC 9457) */
  readonly onRefused?: (refusal: Refusal, context: C) => Response | PromiseLike<Response>;
};

/**
 * Middleware for Hono 4.
 *
 * On `@hono/node-server` the address is that of the socket; elsewhere give `key` or `address`.
 *
 * @example
 * app.use(rateLimit({ quota: "60/min" }));
 */
export function rateLimit<C extends HonoContext = HonoContext>(
  options: HonoRateLimitOptions<C>,
): (context: C, next: () => Promise<void>) => Promise<Response | undefined> {
  const { onRefused } = options;
  const guard = createGuard<C, unknown>(honoHost, options);

  return async (context, next) => {
    const decided = guard(context, undefined);
    const ruling = isPromise(decided) ? await decided : decided;
    if (ruling === undefined) {
      await next();
      return undefined;
    }
    const { headers, problem } = ruling as Ruling;
    const isNode = setOnNode(context, headers);
    if (!isNode) setOnContext(context, headers);
    if (problem === undefined) {
      await next();
      if (!isNode) keepHeaders(context, headers);
      return undefined;
    }
    if (onRefused === undefined)
      return context.body(problemBody(problem), problem.status, { "Content-Type": PROBLEM_TYPE });
    context.res = await onRefused({ ...ruling, problem }, context);
    if (!isNode) keepHeaders(context, headers);
    return undefined;
  };
}

/**
 * On `@hono/node-server` the fields go straight to the response of Node: whatever becomes of Hono's,
 * they stay, and a response without a `Headers` object costs half as much (see `bench/`).
 */
function setOnNode({ env }: HonoContext, headers: readonly string[]): boolean {
  const outgoing = env?.outgoing;
  if (typeof outgoing?.setHeader !== "function" || outgoing.headersSent) return false;
  for (let i = 0; i < headers.length; i += 2) outgoing.setHeader(headers[i], headers[i + 1]);
  return true;
}

function setOnContext(context: HonoContext, headers: readonly string[]): void {
  for (let i = 0; i < headers.length; i += 2) context.header(headers[i]!, headers[i + 1]!);
}

/** A response that was not made through the context has lost what was set there before. */
function keepHeaders(context: HonoContext, headers: readonly string[]): void {
  if (headers.length > 0 && !context.res.headers.has(headers[0]!)) setOnContext(context, headers);
}

const honoHost: GuardHost<HonoContext, unknown> = {
  headerOf: (context, name) => context.req.header(name),
  peerOf: (context) => context.env?.incoming?.socket?.remoteAddress,
};
