import { isRequest } from "../../inbound/mcp/call.ts";
import { intercept } from "../../inbound/mcp/intercept.ts";
import type { TransportLike, WireMessage } from "../../inbound/mcp/types.ts";
import { failWhenClosed } from "./closing.ts";
import type { Operation, StartOperation } from "./operations.ts";
import { withTraceContext } from "./propagation.ts";
import type { OpenTelemetryApi } from "./types.ts";

/** The same transport of a client, whose requests have spans and carry their trace to the server. */
export function tracedClientTransport<T extends TransportLike>(
  transport: T,
  api: OpenTelemetryApi,
  start: StartOperation,
): T {
  const running = new Map<string | number, Operation>();
  const send = transport.send.bind(transport);
  /** Transports over HTTP know their address; those over pipes have none. */
  const isHttp = "_url" in transport;
  let agreed: string | undefined;

  function settle(id: string | number, end: (operation: Operation) => void): void {
    const operation = running.get(id);
    running.delete(id);
    if (operation !== undefined) end(operation);
  }

  transport.send = (message: WireMessage, options?: unknown) => {
    if (message?.method === "notifications/cancelled")
      settle(message.params?.requestId, (one) => one.failed("cancelled"));
    if (!isRequest(message)) return send(message, options);
    const { sessionId } = transport;
    const operation = start(message, { isHttp, sessionId, protocolVersion: agreed }, api.context.active());
    running.set(message.id, operation);
    const sent = api.context.with(operation.context, () =>
      send(withTraceContext(api, message, operation.context), options),
    ) as Promise<void>;
    return sent.catch((error: unknown) => {
      settle(message.id, (one) => one.failed(error instanceof Error ? error.name : "_OTHER"));
      throw error;
    });
  };

  intercept(
    transport,
    "onmessage",
    (next) =>
      function (this: unknown, message: WireMessage, extra: unknown) {
        if (message?.id !== undefined && message.method === undefined) {
          agreed =
            message.result?.serverInfo && message.result.protocolVersion ? message.result.protocolVersion : agreed;
          settle(message.id, (one) => one.answered(message.result ?? message.error));
        }
        return next.call(this, message, extra);
      },
  );
  failWhenClosed(transport, running);
  return transport;
}
