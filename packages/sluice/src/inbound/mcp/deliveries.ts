import { httpHeaders } from "../../answers/http.ts";
import type { Admission } from "./admission.ts";
import type { Origin } from "./call.ts";
import { failed, type McpGate, requestsIn } from "./gate.ts";
import type { JsonRpcRequest } from "./types.ts";
import { waitingRequests } from "./waiting-requests.ts";

/** What a client sent with one HTTP POST. */
export interface Delivery {
  /** The parsed body: a message, or the several of a batch. */
  readonly body: unknown;
  readonly origin: Origin;
  /** Aborts when the client has gone. Only looked at when calls may wait, so it may be a getter that makes one. */
  readonly signal: AbortSignal;
}

/** What becomes of a delivery. */
export type Ruling =
  /**
   * The server gets it, without the `ticket` if there is one (see `withoutTicket`). `admission` is there when somebody must say when
   * the calls have ended.
   */
  | {
      readonly kind: "pass";
      readonly requests: readonly JsonRpcRequest[];
      readonly admission?: Admission;
      readonly ticket?: string;
    }
  /** The client gets this, and the server nothing. `fields` are names and values in turn. */
  | {
      readonly kind: "answer";
      readonly status: 200 | 429 | 503;
      readonly fields: readonly string[];
      readonly body: unknown;
    }
  /** It was cancelled while it waited: nobody reads the answer, and the server never hears of it. */
  | { readonly kind: "cancelled" };

export interface DeliveriesOptions {
  /** Status of refusals. @default 200 */
  readonly httpStatus?: 200 | 429;
  /** Is told why nothing could be decided; the client gets a JSON-RPC error. @default console.error */
  readonly onFailure?: (error: unknown) => void;
}

/** Decides about what clients of a server over HTTP send, cancellations of what waits included. */
export interface Deliveries {
  /**
   * All requests of a delivery are admitted together, or none.
   *
   * @throws the reason of the signal when the client has gone meanwhile
   */
  decide(delivery: Delivery, gate?: McpGate): Promise<Ruling>;
}

/** @param own decides, unless a delivery names another: after a reload, what waits still belongs to the gate before it */
export function deliveries(own: McpGate, { httpStatus = 200, onFailure = report }: DeliveriesOptions = {}): Deliveries {
  const waiting = waitingRequests();

  return {
    async decide(delivery, gate = own) {
      const { body, origin } = delivery;
      const messages = [body].flat();
      const requests = requestsIn(messages);
      const { sessionId } = origin;
      if (sessionId !== undefined) waiting.drop(sessionId, messages);
      if (requests.length === 0) return { kind: "pass", requests };
      // A signal costs more than the decision: only who may wait has one.
      const entry = gate.waits ? waiting.enter(sessionId, requests, delivery.signal) : undefined;
      const answer = (
        answerTo: (request: JsonRpcRequest) => object,
        status: 200 | 429 | 503,
        fields: readonly string[],
      ): Ruling => {
        const answers = requests.map(answerTo);
        return { kind: "answer", status, fields, body: Array.isArray(body) ? answers : answers[0] };
      };
      let admission: Admission;
      try {
        admission = await gate.admit(requests, origin, entry?.signal);
      } catch (error) {
        if (entry !== undefined && delivery.signal.aborted) throw error;
        if (entry?.signal.aborted) return { kind: "cancelled" };
        onFailure(error);
        return answer((one) => failed(one), 200, []);
      } finally {
        entry?.leave();
      }
      const { refusal } = admission;
      if (refusal === undefined) {
        const isWatched = admission.holdsPlaces || gate.watches !== "nothing";
        const { ticket } = admission;
        return { kind: "pass", requests, ...(isWatched && { admission }), ...(ticket !== undefined && { ticket }) };
      }
      const status = httpStatus === 429 && refusal.decision.degraded ? 503 : httpStatus;
      return answer((one) => gate.refuse(one, refusal), status, fieldsOf(admission, status));
    },
  };
}

function report(error: unknown): void {
  console.error("sluice: an MCP request could not be decided about.", error);
}

/** `Retry-After`; on a 429 also what an HTTP client knows of rates. Places are none: their unit is another. */
function fieldsOf({ outcome, refusal }: Admission, status: number): readonly string[] {
  if (refusal!.loop !== undefined) {
    const { retryAfterMs = 0 } = refusal!.loop;
    return retryAfterMs === 0 ? [] : ["retry-after", String(Math.ceil(retryAfterMs / 1000))];
  }
  if (refusal!.isBlock) return ["retry-after", String(Math.ceil(refusal!.decision.retryAfterMs / 1000))];
  const rates = outcome!.decisions.filter(({ quota }) => quota.algorithm.name !== "concurrency");
  const options = status === 429 ? {} : ({ headers: false, legacyHeaders: false } as const);
  return httpHeaders(
    rates.map(({ quota }) => quota),
    options,
  )(
    refusal!.decision,
    rates.map(({ decision }) => decision),
  );
}
