import { PROBLEM_TYPE, problemBody } from "../../answers/problem.ts";
import { isPromise } from "../../limiter/reply.ts";
import { createGuard, type GuardHost, type GuardOptions, type Refusal, type Ruling } from "./guard.ts";
import type {
  AnyFastifyRequest,
  FastifyDone,
  FastifyHook,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
} from "./types.ts";

export { ClientAddressError, type ClientAddressOptions } from "./client-address.ts";
export type { HttpDecisionEvent, Refusal, Ruling } from "./guard.ts";

export type FastifyRateLimitOptions<Q extends FastifyRequest = FastifyRequest> = GuardOptions<Q> & {
  /**
   * Makes the payload for a refused request; status and header fields are set already. Without a payload it has
   * sent the answer itself. @default a problem document (RFC 9457)
   */
  readonly onRefused?: (refusal: Refusal, request: Q, reply: FastifyReply) => unknown;
};

/** When in its life a request is decided about: `preHandler` where the key is known only after authentication or parsing. */
export type FastifyHookName = "onRequest" | "preValidation" | "preHandler";

export type FastifyPluginOptions<Q extends FastifyRequest = FastifyRequest> = FastifyRateLimitOptions<Q> & {
  /** @default "onRequest" */
  readonly hook?: FastifyHookName;
};

/**
 * Plugin for Fastify 5: limits all routes of the instance that it is registered on, together.
 *
 * A route with `config: { rateLimit: false }` is left out. For a limit of its own, a route has a hook, see
 * {@link rateLimitHook}.
 *
 * @example
 * await app.register(rateLimit, { quota: "60/min" });
 */
export function rateLimit(
  app: FastifyInstance,
  options: FastifyPluginOptions<AnyFastifyRequest>,
  done: FastifyDone,
): void {
  const { hook = "onRequest", skip } = options;
  const isLeftOut = ({ routeOptions }: FastifyRequest): boolean => routeOptions?.config?.rateLimit === false;
  const limit = hookOf({ ...options, skip: (request) => isLeftOut(request) || (skip?.(request) ?? false) });
  app.addHook(hook, limit);
  done();
}

// Fastify's own sign that a plugin belongs to the instance that it is registered on, not to one of its own.
Object.assign(rateLimit, { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "sluice" });

/**
 * A limit for single routes, as a hook. Routes that are given the same hook share its limit.
 *
 * @example
 * app.get("/search", { onRequest: rateLimitHook({ quota: "5/s" }) }, handler);
 */
export function rateLimitHook<Q extends FastifyRequest = FastifyRequest>(
  options: FastifyRateLimitOptions<Q>,
): FastifyHook {
  return hookOf(options);
}

function hookOf<Q extends FastifyRequest>(options: FastifyRateLimitOptions<Q>): FastifyHook {
  const { onRefused } = options;
  const guard = createGuard<Q, unknown>(fastifyHost, options);

  function settle(ruling: Ruling | undefined, request: Q, reply: FastifyReply, done: FastifyDone): unknown {
    if (ruling === undefined) return done();
    const { headers, problem } = ruling;
    for (let i = 0; i < headers.length; i += 2) reply.header(headers[i]!, headers[i + 1]!);
    if (problem === undefined) return done();
    reply.code(problem.status);
    if (onRefused !== undefined) return answerBy(() => onRefused({ ...ruling, problem }, request, reply), reply);
    reply.header("content-type", PROBLEM_TYPE).send(problemBody(problem));
  }

  return (request, reply, done) => {
    const ruling = guard(request, undefined);
    const settled = isPromise(ruling)
      ? ruling.then((one) => settle(one, request, reply, done))
      : settle(ruling, request, reply, done);
    if (isPromise(settled)) settled.then(undefined, done);
  };
}

/** Let a custom answer be given. If that fails, it is an error of the server, not a refusal. */
async function answerBy(answer: () => unknown, reply: FastifyReply): Promise<void> {
  try {
    const answered = answer();
    // A reply can be awaited, but that waits for its end.
    const payload = answered === reply ? undefined : await answered;
    if (payload !== undefined && !reply.sent) reply.send(payload);
  } catch (error) {
    reply.code(500);
    throw error;
  }
}

const fastifyHost: GuardHost<FastifyRequest, unknown> = {
  headerOf: (request, name) => request.headers[name],
  peerOf: (request) => request.raw.socket.remoteAddress,
};
