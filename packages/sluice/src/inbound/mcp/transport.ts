import { isPromise } from "../../limiter/reply.ts";
import { clientContext } from "../client-context.ts";
import type { Admission } from "./admission.ts";
import { isRequest, type Origin, toHeaders } from "./call.ts";
import { failed, type McpGate } from "./gate.ts";
import { intercept } from "./intercept.ts";
import type { JsonRpcRequest, MessageExtra, TransportLike, WireMessage } from "./types.ts";

/** A request on its way through the gate and the server. */
interface Passing {
  readonly request: JsonRpcRequest;
  readonly origin: Origin;
  /** Undefined while it waits to be admitted. */
  admission?: Admission;
  /** Drops it while it waits. */
  readonly controller: AbortController;
}

let connections = 0;

/**
 * The same transport, with a gate between it and the server. Only requests are gated: notifications,
 * responses and everything that the server sends pass as they are, at once.
 *
 * Over a store in memory a request is delivered within the same turn, as the SDK's transports for
 * stateless HTTP need it.
 */
export function gateTransport<T extends TransportLike>(transport: T, gate: McpGate): T {
  const connection = `connection:${++connections}`;
  const passing = new Map<string | number, Passing>();
  const send = transport.send.bind(transport);

  transport.send = (message: WireMessage, options?: unknown) => {
    const isResponse = message?.id !== undefined && message.method === undefined;
    const entry = isResponse ? passing.get(message.id) : undefined;
    if (entry?.admission !== undefined) {
      passing.delete(message.id);
      gate.sawAnswer(entry.request, entry.origin, message.result ?? message.error);
      const sent = send(message, options);
      entry.admission.finish();
      return sent;
    }
    return send(message, options);
  };

  function receive(deliver: (passed: JsonRpcRequest) => void, request: JsonRpcRequest, extra: MessageExtra): void {
    const entry: Passing = {
      request,
      origin: originOf(extra, transport, connection),
      controller: new AbortController(),
    };
    let admitted: ReturnType<McpGate["admit"]>;
    try {
      admitted = gate.admit([request], entry.origin, entry.controller.signal);
    } catch (error) {
      fail(entry, error);
      return;
    }
    if (!isPromise(admitted)) {
      settle(entry, admitted, deliver);
      return;
    }
    enter(entry);
    admitted.then(
      (admission) => {
        if (entry.controller.signal.aborted) return admission.undo();
        passing.delete(request.id);
        settle(entry, admission, deliver);
      },
      (error: unknown) => {
        if (entry.controller.signal.aborted) return;
        passing.delete(request.id);
        fail(entry, error);
      },
    );
  }

  /** An id names one request (JSON-RPC): a client that gives it to another gives up the earlier one. */
  function enter(entry: Passing): void {
    const earlier = passing.get(entry.request.id);
    if (earlier !== undefined) leave(earlier, "The client gave the id of the request to another one while it waited.");
    passing.set(entry.request.id, entry);
  }

  /** Nobody will hear of this request again: it waits no longer, or holds its places until their lease ends. */
  function leave({ admission, controller }: Passing, reason: string): void {
    if (admission === undefined) controller.abort(new Error(reason));
    else admission.abandon();
  }

  function settle(entry: Passing, admission: Admission, deliver: (passed: JsonRpcRequest) => void): void {
    if (admission.refusal !== undefined) {
      answer(entry.request, gate.refuse(entry.request, admission.refusal));
      return;
    }
    if (admission.holdsPlaces || gate.watches !== "nothing") enter({ ...entry, admission });
    deliver(admission.ticket === undefined ? entry.request : withoutState(entry.request));
  }

  function fail({ request }: Passing, error: unknown): void {
    transport.onerror?.(error as Error);
    answer(request, failed(request));
  }

  function answer({ id }: JsonRpcRequest, message: object): void {
    send(message, { relatedRequestId: id }).catch((error: unknown) => transport.onerror?.(error as Error));
  }

  /**
   * A request that is cancelled while it waits is dropped, and the server never hears of it. One that
   * runs may go on running, so its place stays taken until its lease ends: else a client could run
   * any number of calls at once by cancelling them.
   */
  function isDropped(message: WireMessage): boolean {
    if (message?.method !== "notifications/cancelled") return false;
    const entry = passing.get(message.params?.requestId);
    if (entry === undefined) return false;
    passing.delete(entry.request.id);
    leave(entry, "The client cancelled the request while it waited.");
    return entry.admission === undefined;
  }

  intercept(
    transport,
    "onmessage",
    (next) =>
      function (this: unknown, message: WireMessage, extra: MessageExtra) {
        if (isRequest(message)) receive((passed) => next.call(this, passed, extra), message, extra);
        else if (!isDropped(message)) next.call(this, message, extra);
      },
  );
  intercept(
    transport,
    "onclose",
    (next) =>
      function (this: unknown) {
        for (const entry of passing.values()) leave(entry, "The connection was closed while the request waited.");
        passing.clear();
        next.call(this);
      },
  );
  return transport;
}

/** The state of a request that is a ticket of ours is none of the server's. */
function withoutState(request: JsonRpcRequest): JsonRpcRequest {
  const { requestState: _, ...params } = request.params ?? {};
  return { ...request, params };
}

/** What SDK v1 (`requestInfo`) and v2 (`request`) say about the request behind a message. Without one, the connection is the client. */
function originOf(extra: MessageExtra, { sessionId }: TransportLike, connection: string): Origin {
  const http = extra?.request ?? extra?.requestInfo;
  if (http === undefined) return { authInfo: extra?.authInfo, connection };
  return { authInfo: extra.authInfo, headers: toHeaders(http.headers), address: clientContext.address(), sessionId };
}
