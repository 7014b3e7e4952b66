import type { Admission } from "../../inbound/mcp/admission.ts";
import type { Origin } from "../../inbound/mcp/call.ts";
import type { McpGate } from "../../inbound/mcp/gate.ts";
import type { JsonRpcRequest } from "../../inbound/mcp/types.ts";
import { isPromise } from "../../limiter/reply.ts";
import type { Operation } from "./operations.ts";
import type { Receive } from "./traced-server.ts";

/** The same gate, at which each request has a span, from its coming to its answer. */
export function tracedGate(gate: McpGate, receive: Receive): McpGate {
  const running = new WeakMap<JsonRpcRequest, Operation>();
  /** What `initialize` agreed on, where one origin is a connection. */
  const agreed = new WeakMap<Origin, string>();

  /** It ends once. What is weakly held and not taken out is what the garbage collector has most to do with. */
  function settle(request: JsonRpcRequest, how: (operation: Operation) => void): void {
    const operation = running.get(request);
    if (operation === undefined) return;
    running.delete(request);
    how(operation);
  }

  const carriageOf = (origin: Origin) => ({
    isHttp: origin.connection === undefined,
    sessionId: origin.sessionId,
    protocolVersion: origin.headers?.get("mcp-protocol-version") ?? agreed.get(origin),
  });

  function admitted(requests: readonly JsonRpcRequest[], admission: Admission): Admission {
    if (admission.refusal !== undefined) return admission;
    const end = (verb: "finish" | "abandon" | "undo", how: (operation: Operation) => void) => () => {
      for (const request of requests) settle(request, how);
      admission[verb]();
    };
    return {
      ...admission,
      // Of a request that has its answer already, the span has ended.
      finish: end("finish", (operation) => operation.ended()),
      abandon: end("abandon", (operation) => operation.failed("cancelled")),
      undo: end("undo", (operation) => operation.failed("cancelled")),
    };
  }

  return {
    ...gate,
    watches: "everything",

    admit(requests, origin, signal) {
      const carriage = carriageOf(origin);
      for (const request of requests) running.set(request, receive(request, carriage));
      const failed = (error: unknown): never => {
        const errorType = signal?.aborted ? "cancelled" : error instanceof Error ? error.name : "_OTHER";
        for (const request of requests) settle(request, (operation) => operation.failed(errorType));
        throw error;
      };
      try {
        const admission = gate.admit(requests, origin, signal);
        return isPromise(admission)
          ? admission.then((given) => admitted(requests, given), failed)
          : admitted(requests, admission);
      } catch (error) {
        return failed(error);
      }
    },

    refuse(request, refusal) {
      const response = gate.refuse(request, refusal) as { readonly result?: unknown; readonly error?: unknown };
      settle(request, (operation) => operation.answered(response.result ?? response.error));
      return response;
    },

    sawAnswer(request, origin, result) {
      const { protocolVersion } = (result ?? {}) as { readonly protocolVersion?: unknown };
      if (request.method === "initialize" && typeof protocolVersion === "string") agreed.set(origin, protocolVersion);
      settle(request, (operation) => operation.answered(result));
      gate.sawAnswer(request, origin, result);
    },

    sawFailure(request, retryAfterMs) {
      settle(request, (operation) => operation.failed("no_answer"));
      gate.sawFailure(request, retryAfterMs);
    },
  };
}
