import { isRequest, toHeaders } from "../../inbound/mcp/call.ts";
import { intercept } from "../../inbound/mcp/intercept.ts";
import type { JsonRpcRequest, MessageExtra, TransportLike, WireMessage } from "../../inbound/mcp/types.ts";
import { failWhenClosed } from "./closing.ts";
import type { Carriage, Operation } from "./operations.ts";
import type { OpenTelemetryApi } from "./types.ts";

/** A request of a client has come. */
export type Receive = (request: JsonRpcRequest, carriage: Carriage) => Operation;

/** The same transport, on which each request has a span, from its coming to its answer. */
export function tracedServerTransport<T extends TransportLike>(
  transport: T,
  api: OpenTelemetryApi,
  receive: Receive,
): T {
  const running = new Map<string | number, Operation>();
  const send = transport.send.bind(transport);
  /** What `initialize` agreed on. */
  let agreed: string | undefined;

  transport.send = (message: WireMessage, options?: unknown) => {
    const operation = message?.method === undefined ? running.get(message?.id) : undefined;
    if (operation !== undefined) {
      running.delete(message.id);
      agreed = versionIn(message.result) ?? agreed;
      operation.answered(message.result ?? message.error);
    }
    return send(message, options);
  };

  function leave(id: string | number, errorType: string): void {
    running.get(id)?.failed(errorType);
    running.delete(id);
  }

  intercept(
    transport,
    "onmessage",
    (next) =>
      function (this: unknown, message: WireMessage, extra: MessageExtra) {
        if (!isRequest(message)) {
          if (message?.method === "notifications/cancelled") leave(message.params?.requestId, "cancelled");
          return next.call(this, message, extra);
        }
        const operation = receive(message, carriageOf(extra, transport, agreed));
        leave(message.id, "cancelled");
        running.set(message.id, operation);
        return api.context.with(operation.context, () => next.call(this, message, extra));
      },
  );
  failWhenClosed(transport, running);
  return transport;
}

/** Only the result of `initialize` has a version at its top. */
function versionIn(result: unknown): string | undefined {
  const { protocolVersion, serverInfo } = (result ?? {}) as Record<string, unknown>;
  return typeof protocolVersion === "string" && serverInfo !== undefined ? protocolVersion : undefined;
}

function carriageOf(extra: MessageExtra, { sessionId }: TransportLike, agreed: string | undefined): Carriage {
  const http = extra?.request ?? extra?.requestInfo;
  if (http === undefined) return { isHttp: false, sessionId, protocolVersion: agreed };
  return {
    isHttp: true,
    sessionId,
    protocolVersion: toHeaders(http.headers)?.get("mcp-protocol-version") ?? agreed,
  };
}
