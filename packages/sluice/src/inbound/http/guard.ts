import { shown } from "../../algorithms/numbers.ts";
import { type HttpHeaderOptions, httpHeaders } from "../../answers/http.ts";
import { type RateLimitProblem, rateLimitProblem } from "../../answers/problem.ts";
import type { Decision } from "../../limiter/decision.ts";
import { isolated } from "../../limiter/events.ts";
import type { Limiter } from "../../limiter/limiter.ts";
import type { QuotaLike } from "../../limiter/rate.ts";
import { chain, isPromise } from "../../limiter/reply.ts";
import type { Awaitable, Store } from "../../limiter/store.ts";
import { createLimiter } from "../../stores/create-limiter.ts";
import { type ClientAddressOptions, clientAddress, type HeaderOf } from "./client-address.ts";

/** What is limited: quotas of its own, or a limiter that others use as well. */
export type GuardQuotas =
  | {
      /** One quota, or several that must all agree: `"60/min"`, `perMinute(60)`, or a list of such. */
      readonly quota: QuotaLike | readonly QuotaLike[];
      /** Where the counts live. @default a memory store of its own */
      readonly store?: Store;
      /** Guards with the same name, quotas and store share their counts. @default "default" */
      readonly name?: string;
      readonly limiter?: never;
    }
  | { readonly limiter: Limiter; readonly quota?: never; readonly store?: never; readonly name?: never };

/** A decision about a request. */
export interface HttpDecisionEvent<R> {
  readonly request: R;
  readonly key: string;
  readonly cost: number;
  /** The one that matters most. */
  readonly decision: Decision;
  /** One for each quota. */
  readonly decisions: readonly Decision[];
}

/** How requests of type `R` are limited. `I` is what the host hands over beside a request. */
export type GuardOptions<R, I = unknown> = GuardQuotas &
  ClientAddressOptions &
  HttpHeaderOptions & {
    /**
     * Whose limit it is. `undefined` lets the request through uncharged.
     *
     * @param address gives the default key, for requests without a user.
     * @default the client's address
     */
    readonly key?: (request: R, address: () => string) => Awaitable<string | undefined>;
    /** Where the address of the connection's peer is found. @default what the host knows */
    readonly address?: (request: R, info: I) => string | null | undefined;
    /** Units that a request takes: a whole number, 0 or more. @default 1 */
    readonly cost?: number | ((request: R) => Awaitable<number>);
    /** Requests that are let through uncharged, and without header fields. */
    readonly skip?: (request: R) => Awaitable<boolean>;
    /** Is told of every decision. What it throws is reported once and changes nothing. */
    readonly onDecision?: (event: HttpDecisionEvent<R>) => void;
  };

/** What was decided about one request, and what to tell the client. */
export interface Ruling {
  readonly decision: Decision;
  /** One for each quota; a block may follow. */
  readonly decisions: readonly Decision[];
  /** Header fields of the answer, allowed or not: names and values in turn. */
  readonly headers: readonly string[];
  /** What to answer instead; `undefined` when the request may pass. */
  readonly problem: RateLimitProblem | undefined;
}

/** The ruling on a request that was refused. */
export interface Refusal extends Ruling {
  readonly problem: RateLimitProblem;
}

/**
 * Decides about requests: at once when key, cost and skip are known at once and the store is in memory.
 * `undefined` when the request is not limited. What a store or a function of the options throws, it throws.
 */
export type Guard<R, I> = (request: R, info: I) => Awaitable<Ruling | undefined>;

/** What a guard needs to know of its host. */
export interface GuardHost<R, I> {
  readonly headerOf: HeaderOf<R>;
  readonly peerOf: (request: R, info: I) => string | null | undefined;
}

/** The guard that every adapter stands on. */
export function createGuard<R, I>(host: GuardHost<R, I>, options: GuardOptions<R, I>): Guard<R, I> {
  const { key: keyOf, address: peerOf = host.peerOf, cost = 1, skip, onDecision } = options;
  const limiter = limiterOf(options);
  const { quotas } = limiter;
  const headersOf = httpHeaders(quotas, options);
  const addressOf = clientAddress(host.headerOf, options, addressKey);
  const announce = onDecision && isolated("onDecision", onDecision);

  function identify(request: R, info: I): Awaitable<Ruling | undefined> {
    if (keyOf === undefined) return assess(request, addressOf(request, peerOf(request, info)));
    const key = keyOf(request, () => addressOf(request, peerOf(request, info)));
    return isPromise(key) ? key.then((found) => assess(request, found)) : assess(request, key);
  }

  function assess(request: R, key: string | undefined): Awaitable<Ruling | undefined> {
    if (key === undefined) return undefined;
    if (typeof cost === "number") return decide(request, key, cost);
    return chain(cost(request), (units) => decide(request, key, units));
  }

  function decide(request: R, key: string, units: number): Awaitable<Ruling> {
    if (quotas.length > 1) {
      return chain(
        limiter.reserve(key, units) as Awaitable<{ decision: Decision; decisions: readonly Decision[] }>,
        (all) => rule(request, key, units, all.decision, all.decisions.filter(isOfInterest)),
      );
    }
    const decision = limiter.consume(key, units) as Awaitable<Decision>;
    if (isPromise(decision)) return decision.then((one) => rule(request, key, units, one, [one]));
    return rule(request, key, units, decision, [decision]);
  }

  function rule(request: R, key: string, units: number, decision: Decision, decisions: readonly Decision[]): Ruling {
    announce?.({ request, key, cost: units, decision, decisions });
    return {
      decision,
      decisions,
      headers: headersOf(decision, decisions),
      problem: decision.allowed ? undefined : rateLimitProblem(quotas, decision, decisions),
    };
  }

  if (skip === undefined) return identify;
  return (request, info) => chain(skip(request), (isSkipped) => (isSkipped ? undefined : identify(request, info)));
}

/** The key of an address: the length in front keeps it apart from keys that are made of other parts. */
const addressKey = (network: string): string => `address:${network.length}:${network}`;

/** The block of a key that is not blocked says nothing. */
const isOfInterest = ({ allowed, limit }: Decision): boolean => !allowed || limit > 0;

function limiterOf({ quota, limiter, store, name }: GuardQuotas): Limiter {
  if (limiter === undefined) {
    if (quota === undefined)
      throw new TypeError('rateLimit needs `quota`, such as "60/min", or a `limiter`, but it has neither.');
    return createLimiter<Store>({ quota, ...(store && { store }), ...(name !== undefined && { name }) });
  }
  if (typeof limiter.consume !== "function") {
    throw new TypeError(`limiter must be the result of createLimiter, but it is ${shown(limiter)}.`);
  }
  if (quota !== undefined || store !== undefined || name !== undefined) {
    throw new TypeError("rateLimit takes either a `limiter` or `quota`, `store` and `name`, but it has both.");
  }
  return limiter;
}
