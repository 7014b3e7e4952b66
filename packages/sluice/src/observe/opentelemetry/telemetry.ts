import type { McpGate } from "../../inbound/mcp/gate.ts";
import type { McpRateLimitOptions } from "../../inbound/mcp/options.ts";
import type { FetchLike, JsonRpcRequest, ServerLike, TransportLike } from "../../inbound/mcp/types.ts";
import type { OutboundListener } from "../../outbound/events.ts";
import type { AnyUpstreams } from "../../outbound/upstreams.ts";
import { version } from "../version.ts";
import { type DecisionLike, decisionRecorder } from "./decisions.ts";
import { instrumentsOf } from "./instruments.ts";
import { knownNames } from "./known-names.ts";
import { type Carriage, type Operation, operations } from "./operations.ts";
import { outboundRecorder } from "./outbound-events.ts";
import { parentageOf } from "./propagation.ts";
import { tracedClientTransport } from "./traced-client.ts";
import { type TracedFetchOptions, tracedFetch } from "./traced-fetch.ts";
import { tracedGate } from "./traced-gate.ts";
import { tracedServerTransport } from "./traced-server.ts";
import { tracedUpstreams } from "./traced-upstreams.ts";
import type { MeterProviderLike, OpenTelemetryApi, SpanLike, TracerProviderLike } from "./types.ts";
import { waitingRecorder } from "./waiting.ts";

export interface TelemetryOptions {
  /** `import * as api from "@opentelemetry/api"`. Without an SDK behind it nothing is recorded. */
  readonly api: OpenTelemetryApi;
  /** Makes the spans. @default that which is registered with the API */
  readonly tracerProvider?: TracerProviderLike;
  /** Makes the metrics. @default that which is registered with the API */
  readonly meterProvider?: MeterProviderLike;
  /**
   * Tools that may stand in metrics from the beginning. Others are added when the server lists them, or when it answers a call of them
   * without an error; until then they are `_OTHER`.
   *
   * @default none
   */
  readonly tools?: Iterable<string>;
  /**
   * What the trace of a client becomes: the parent of the server's spans, or only a link, for servers that anybody may call (who sends a
   * trace also says whether it is sampled).
   *
   * @default "parent"
   */
  readonly clientTrace?: "parent" | "link";
}

/** Spans and metrics of servers, clients, limits and upstreams. */
export interface Telemetry {
  /**
   * The same server: each request of a client has a span, also if a limit refuses it, and its duration is measured. Goes around
   * `rateLimit`. For anything with a `connect(transport)` method, as `rateLimit`.
   */
  server<S extends ServerLike>(server: S): S;
  /** The same transport of a server, for `serveStdio(factory, { transport })`. */
  serverTransport<T extends TransportLike>(transport: T): T;
  /** The same handler, as of `createMcpHandler(factory).fetch`. Goes around `limitFetch`, and instead of `server`. */
  fetch(handler: FetchLike, options?: TracedFetchOptions): FetchLike;
  /**
   * The same gate of `createMcpGate`, for a seam of your own: each request has a span until the gate hears of its answer, or the
   * admission ends.
   */
  gate(gate: McpGate): McpGate;
  /** The same MCP client: each request has a span, and carries its trace to the server in `params._meta` (SEP-414). */
  client<C extends ServerLike>(client: C): C;
  /**
   * The same upstreams: each attempt has a client span, whose context `fetch` sends along, and waiting has one.
   *
   * A function of `run` is called inside its span.
   */
  upstreams<U extends AnyUpstreams>(upstreams: U): U;
  /** For `rateLimit`, `limitFetch`, `createMcpGate` and their like, as `{ perClient: …, ...telemetry.listeners }`: `rate_limit.*` on spans, and metrics. */
  readonly listeners: Required<Pick<McpRateLimitOptions, "onDecision" | "onWaiting">>;
  /** For `onDecision` of a limiter, or of `rateLimit` for HTTP: its decisions are counted under the policy `name`. */
  decisionsOf(name: string): (event: DecisionLike) => void;
  /** For `onEvent` of `createUpstreams`: metrics. */
  readonly onEvent: OutboundListener;
  /**
   * For what is neither: a request has come, and has a span until the operation ends. The listeners find it by the request's `params`.
   */
  received(request: JsonRpcRequest, carriage: Carriage): Operation;
}

const SCOPE = "sluice";

/**
 * Telemetry by the semantic conventions for MCP and generative AI.
 *
 * @example
 * const telemetry = createTelemetry({ api });
 * const server = telemetry.server(rateLimit(demo, { perClient: "100/min", ...telemetry.listeners }));
 *
 * @throws TypeError for what is no API of OpenTelemetry
 */
export function createTelemetry({
  api,
  tracerProvider = api?.trace,
  meterProvider = api?.metrics,
  tools = [],
  clientTrace = "parent",
}: TelemetryOptions): Telemetry {
  if (typeof api?.propagation?.extract !== "function") {
    throw new TypeError(
      'api is the API of OpenTelemetry: import * as api from "@opentelemetry/api", and give { api }.',
    );
  }
  const tracer = tracerProvider.getTracer(SCOPE, version);
  const instruments = instrumentsOf(meterProvider.getMeter(SCOPE, version));
  const names = knownNames(tools);
  const { serverDuration, clientDuration } = instruments;
  const ask = operations({ kind: "client", api, tracer, duration: clientDuration, names: knownNames() });
  /** Spans by the parameters of their requests: limits that decide about a request hand these on as they are. */
  const spans = new WeakMap<object, SpanLike>();

  const serve = operations({
    kind: "server",
    api,
    tracer,
    duration: serverDuration,
    names,
    // What is weakly held and not taken out is what the garbage collector has most to do with.
    onEnd: ({ params }) => params && spans.delete(params),
  });

  const spanOf = (params: object | undefined): SpanLike | undefined =>
    (params && spans.get(params)) ?? api.trace.getSpan(api.context.active());

  function received(request: JsonRpcRequest, carriage: Carriage): Operation {
    const { parent, links } = parentageOf(api, request, clientTrace);
    const operation = serve(request, carriage, parent, links);
    const { params } = request;
    if (typeof params === "object" && params !== null) spans.set(params, operation.span);
    return operation;
  }

  const decisions = decisionRecorder({ instruments, names, spanOf });
  return {
    server: (server) => connecting(server, (transport) => tracedServerTransport(transport, api, received)),
    serverTransport: (transport) => tracedServerTransport(transport, api, received),
    fetch: (handler, options) => tracedFetch(handler, api, received, options),
    gate: (gate) => tracedGate(gate, received),
    client: (client) => connecting(client, (transport) => tracedClientTransport(transport, api, ask)),
    upstreams: (upstreams) => tracedUpstreams(upstreams, { api, tracer }),
    listeners: { onDecision: decisions.ofMcp, onWaiting: waitingRecorder({ instruments, spanOf }) },
    decisionsOf: (name) => (event) => decisions.ofLimiter(name, event),
    onEvent: outboundRecorder(instruments),
    received,
  };
}

/** The same server or client, which gets another transport than it is connected to. */
function connecting<S extends ServerLike>(connectable: S, wrap: (transport: TransportLike) => TransportLike): S {
  const connect = connectable.connect.bind(connectable);
  connectable.connect = (transport: TransportLike, ...rest: unknown[]) => connect(wrap(transport), ...rest);
  return connectable;
}
