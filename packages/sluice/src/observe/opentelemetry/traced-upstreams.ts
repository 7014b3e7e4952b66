import { OutboundError } from "../../outbound/errors.ts";
import type { Upstream } from "../../outbound/upstream.ts";
import type { CallOptions } from "../../outbound/upstream-options.ts";
import type { AnyUpstreams } from "../../outbound/upstreams.ts";
import { ATTRIBUTE, OTHER, RATE_LIMIT } from "./conventions.ts";
import {
  type ContextLike,
  type OpenTelemetryApi,
  SPAN_KIND,
  type SpanLike,
  STATUS_ERROR,
  type TracerLike,
} from "./types.ts";

export interface TracedUpstreamsOptions {
  readonly api: OpenTelemetryApi;
  readonly tracer: TracerLike;
}

/** The same upstreams: each attempt has a span, and so has waiting for one. */
export function tracedUpstreams<U extends AnyUpstreams>(upstreams: U, options: TracedUpstreamsOptions): U {
  const views = new Map<Upstream, Upstream>();
  return new Proxy(upstreams, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (!isUpstream(found)) return found;
      const view = views.get(found) ?? tracedUpstream(found, options);
      views.set(found, view);
      return view;
    },
  });
}

const isUpstream = (found: unknown): found is Upstream => typeof found === "object" && found !== null && "run" in found;

function tracedUpstream(upstream: Upstream, { api, tracer }: TracedUpstreamsOptions): Upstream {
  const named = { [RATE_LIMIT.upstream]: upstream.name };

  /** A call, whose attempts have the caller's span as parent whenever they start, and whose waiting has a span of its own. */
  function calling<T, O extends CallOptions>(
    options: O,
    make: (options: O, attempting: () => ContextLike) => Promise<T>,
  ): Promise<T> {
    const parent = api.context.active();
    let waiting: SpanLike | undefined;
    let isMade = false;
    const wait = () =>
      tracer.startSpan(`wait ${upstream.name}`, { kind: SPAN_KIND.internal, attributes: named }, parent);
    const attempting = () => {
      isMade = true;
      waiting?.end();
      waiting = undefined;
      return parent;
    };
    const onQueued: CallOptions["onQueued"] = (standing) => {
      waiting ??= wait();
      options.onQueued?.(standing);
    };
    return make({ ...options, onQueued }, attempting).then(
      (value) => {
        waiting?.end();
        return value;
      },
      (error: unknown) => {
        if (error instanceof OutboundError && !isMade) refused(waiting ?? wait(), error);
        else waiting?.end();
        throw error;
      },
    );
  }

  /** Runs an attempt in its span. */
  async function inSpan<T>(
    name: string,
    attributes: object,
    parent: ContextLike,
    run: (span: SpanLike, context: ContextLike) => T | PromiseLike<T>,
  ): Promise<T> {
    const span = tracer.startSpan(name, { kind: SPAN_KIND.client, attributes: { ...named, ...attributes } }, parent);
    const context = api.trace.setSpan(parent, span);
    try {
      return await api.context.with(context, () => run(span, context));
    } catch (error) {
      fail(span, error instanceof Error ? error.name : OTHER);
      throw error;
    } finally {
      span.end();
    }
  }

  function traced(fetcher: typeof fetch, attempting: () => ContextLike): typeof fetch {
    let attempts = 0;
    return (input: string | URL | Request, init: RequestInit = {}) => {
      const request = input instanceof Request ? input : undefined;
      const method = (init.method ?? request?.method ?? "GET").toUpperCase();
      const attributes = {
        [ATTRIBUTE.httpMethod]: method,
        ...addressOf(request?.url ?? String(input)),
        ...(attempts > 0 && { [ATTRIBUTE.httpResend]: attempts }),
      };
      attempts++;
      return inSpan(method, attributes, attempting(), async (span, context) => {
        const headers = new Headers(init.headers ?? request?.headers);
        const carrier: Record<string, string> = {};
        api.propagation.inject(context, carrier);
        for (const [name, value] of Object.entries(carrier)) headers.set(name, value);
        const response = await fetcher(input, { ...init, headers });
        span.setAttributes({ [ATTRIBUTE.httpStatus]: response.status });
        if (response.status >= 400) fail(span, String(response.status));
        return response;
      });
    };
  }

  return {
    ...upstream,
    run: (make, options = {}) =>
      calling(options, (all, attempting) =>
        upstream.run((attempt) => inSpan(upstream.name, {}, attempting(), () => make(attempt)), all),
      ),
    fetch: (input, init, options = {}) =>
      calling(options, (all, attempting) =>
        upstream.fetch(input, init, { ...all, fetch: traced(options.fetch ?? upstream.fetcher, attempting) }),
      ),
  };
}

function fail(span: SpanLike, errorType: string): void {
  span.setAttributes({ [ATTRIBUTE.errorType]: errorType });
  span.setStatus({ code: STATUS_ERROR });
}

/** The call was never made: that is the end of its waiting, however short it was. */
function refused(span: SpanLike, { reason, retryAfterMs, message }: OutboundError): void {
  span.setAttributes({
    [ATTRIBUTE.errorType]: reason,
    [RATE_LIMIT.decision]: "deny",
    ...(retryAfterMs !== undefined && retryAfterMs < Infinity && { [RATE_LIMIT.retryAfter]: retryAfterMs / 1000 }),
  });
  span.setStatus({ code: STATUS_ERROR, message });
  span.end();
}

/** Where a request goes to. Credentials and queries, which may hold some, are no part of it. */
function addressOf(url: string): object {
  if (!URL.canParse(url)) return {};
  const { protocol, hostname, port, origin, pathname } = new URL(url);
  return {
    [ATTRIBUTE.url]: `${origin}${pathname}`,
    [ATTRIBUTE.serverAddress]: hostname,
    [ATTRIBUTE.serverPort]: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
  };
}
