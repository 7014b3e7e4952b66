import { httpHeaders } from "../../answers/http.ts";
import { clientContext } from "../client-context.ts";
import type { Admission } from "./admission.ts";
import { watchAnswers, whenRead } from "./answer-stream.ts";
import type { Origin } from "./call.ts";
import { createMcpGate, failed, type McpGate, requestsIn } from "./gate.ts";
import type { McpRateLimitOptions } from "./options.ts";
import type { FetchContext, FetchLike, JsonRpcRequest } from "./types.ts";
import { waitingRequests } from "./waiting-requests.ts";

export interface LimitFetchOptions extends McpRateLimitOptions {
  /**
   * HTTP status of a refusal. Official MCP clients show the content of a refusal to the application
   * only on 200; 429 reaches proxies and plain HTTP clients better. An outage of the limiter is then a 503.
   *
   * @default 200
   */
  readonly httpStatus?: 200 | 429;
  /** A larger body is answered with 413, because what is not read cannot be limited. In bytes. @default 4 MiB, as the SDK */
  readonly maxBodyBytes?: number;
  /** The client's address, where the platform tells it: `(request) => request.headers.get("cf-connecting-ip")`. Checked by nobody. */
  readonly address?: (request: Request) => string | null | undefined;
}

/**
 * The same fetch handler, whose MCP requests are limited: for `createMcpHandler(factory).fetch` and
 * whatever else turns a `Request` into a `Response`. Decisions may take their time here: the handler's
 * own statuses (404, 400, 415) stay as they are.
 *
 * @example
 * const handler = createMcpHandler(() => createServer());
 * const fetch = limitFetch(handler.fetch, { tools: { search: "10/min" } });
 */
export function limitFetch(handler: FetchLike, options: LimitFetchOptions): FetchLike {
  const { httpStatus = 200, maxBodyBytes = 4 * 1024 * 1024, address } = options;
  const gate = createMcpGate(options);
  const waiting = waitingRequests();

  return async (request: Request, context: FetchContext = {}): Promise<Response> => {
    if (request.method !== "POST") return handler(request, context);
    const body = context.parsedBody ?? (await readBody(request, maxBodyBytes));
    if (body === TOO_LARGE) return tooLarge(maxBodyBytes);
    const messages = [body].flat();
    const requests = requestsIn(messages);
    const sessionId = request.headers.get("mcp-session-id") ?? undefined;
    if (sessionId !== undefined) waiting.drop(sessionId, messages);
    if (requests.length === 0) return handler(request, context);
    const origin: Origin = {
      authInfo: context.authInfo,
      headers: request.headers,
      address: address?.(request) ?? clientContext.address(),
      sessionId,
    };
    const entry = waiting.enter(sessionId, requests, request.signal);
    let admission: Admission;
    try {
      admission = await gate.admit(requests, origin, entry.signal);
    } catch (error) {
      if (request.signal.aborted) throw error;
      // Cancelled while it waited: nobody reads the answer, and the server never hears of the request.
      if (entry.signal.aborted) return new Response(null, { status: 202 });
      console.error("sluice: an MCP request could not be decided about.", error);
      return answer(body, requests, (one) => failed(one), 200, []);
    } finally {
      entry.leave();
    }
    const { refusal } = admission;
    if (refusal !== undefined) {
      const status = httpStatus === 429 && refusal.decision.degraded ? 503 : httpStatus;
      return answer(body, requests, (one) => gate.refuse(one, refusal), status, fields(admission, status));
    }
    return served(gate, admission, requests, origin, () => handler(request, context));
  };
}

/** Run the handler, and give places back when the client has its answer. */
async function served(
  gate: McpGate,
  admission: Admission,
  requests: readonly JsonRpcRequest[],
  origin: Origin,
  run: () => Promise<Response>,
): Promise<Response> {
  if (!admission.holdsPlaces && !gate.watchesAnswers) return run();
  try {
    const response = await run();
    const watched = gate.watchesAnswers
      ? watchAnswers(response, (id, result) => {
          const request = requests.find((one) => one.id === id);
          if (request !== undefined) gate.sawAnswer(request, origin, result);
        })
      : response;
    return admission.holdsPlaces ? whenRead(watched, admission) : watched;
  } catch (error) {
    admission.finish();
    throw error;
  }
}

const TOO_LARGE = Symbol("too large");

/** The JSON in a copy of the body, so that the handler reads the original and keeps its own answers to bad ones. */
async function readBody(request: Request, limit: number): Promise<unknown> {
  const reader = request.clone().body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  while (reader !== undefined) {
    const { value, done } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      // Nobody waits for this: the other copy is still unread.
      void reader.cancel();
      return TOO_LARGE;
    }
    text += decoder.decode(value, { stream: true });
  }
  try {
    return JSON.parse(text + decoder.decode());
  } catch {
    return undefined;
  }
}

function answer(
  body: unknown,
  requests: readonly JsonRpcRequest[],
  answerTo: (request: JsonRpcRequest) => object,
  status: number,
  headers: readonly string[],
): Response {
  const answers = requests.map(answerTo);
  const response = Response.json(Array.isArray(body) ? answers : answers[0], { status });
  for (let i = 0; i < headers.length; i += 2) response.headers.set(headers[i]!, headers[i + 1]!);
  return response;
}

/** `Retry-After`; on a 429 also what an HTTP client knows of rates. Places are none: their unit is another. */
function fields({ outcome, refusal }: Admission, status: number): readonly string[] {
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

function tooLarge(limit: number): Response {
  const message = `The body of a request has at most ${limit} bytes on this server.`;
  return Response.json({ jsonrpc: "2.0", id: null, error: { code: -32_600, message } }, { status: 413 });
}
