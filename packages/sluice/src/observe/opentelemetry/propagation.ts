import type { JsonRpcRequest } from "../../inbound/mcp/types.ts";
import type { ContextLike, OpenTelemetryApi } from "./types.ts";

/** Where a span belongs. */
export interface Parentage {
  readonly parent: ContextLike;
  readonly links: readonly object[];
}

/** W3C Baggage has 8,192 bytes at most, and nothing else that is propagated is longer. */
const MAX_LENGTH = 8192;

const NO_LINKS: readonly object[] = [];

/** Fields of a trace context among what a client sent: texts of a bearable length. */
function carrierIn(request: JsonRpcRequest): Record<string, string> | undefined {
  const meta: unknown = request.params?._meta;
  if (typeof meta !== "object" || meta === null) return undefined;
  return Object.fromEntries(
    Object.entries(meta).filter(([, value]) => typeof value === "string" && value.length <= MAX_LENGTH),
  ) as Record<string, string>;
}

/**
 * The trace that a client is in (`params._meta`, SEP-414) is the parent; the span that is active here (that of the HTTP request, as a
 * rule) is linked. If the client is not to be trusted with that, it is the other way round.
 */
export function parentageOf(
  api: OpenTelemetryApi,
  request: JsonRpcRequest,
  clientTrace: "parent" | "link",
  ambient: ContextLike = api.context.active(),
): Parentage {
  const carrier = carrierIn(request);
  if (carrier === undefined) return { parent: ambient, links: NO_LINKS };
  const sent = api.propagation.extract(ambient, carrier);
  const remote = api.trace.getSpanContext(sent);
  const local = api.trace.getSpanContext(ambient);
  if (remote === undefined || remote.spanId === local?.spanId) return { parent: sent, links: NO_LINKS };
  if (clientTrace === "link") return { parent: ambient, links: [{ context: remote }] };
  return { parent: sent, links: local === undefined ? NO_LINKS : [{ context: local }] };
}

/** The same request, with the trace context in its `params._meta`. */
export function withTraceContext(api: OpenTelemetryApi, request: JsonRpcRequest, context: ContextLike): JsonRpcRequest {
  const carrier: Record<string, string> = {};
  api.propagation.inject(context, carrier);
  if (Object.keys(carrier).length === 0) return request;
  const { params } = request;
  return { ...request, params: { ...params, _meta: { ...params?._meta, ...carrier } } };
}
