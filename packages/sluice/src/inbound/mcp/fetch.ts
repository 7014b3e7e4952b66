import { clientContext } from "../client-context.ts";
import type { Admission } from "./admission.ts";
import { watchAnswers, whenRead } from "./answer-stream.ts";
import type { Origin } from "./call.ts";
import { deliveries, type Ruling } from "./deliveries.ts";
import { createMcpGate, type McpGate } from "./gate.ts";
import type { McpRateLimitOptions } from "./options.ts";
import { readBody, TOO_LARGE } from "./read-body.ts";
import { withoutTicket } from "./tickets.ts";
import type { FetchContext, FetchLike, JsonRpcRequest } from "./types.ts";

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
  const { decide } = deliveries(gate, { httpStatus });

  return async (request: Request, context: FetchContext = {}): Promise<Response> => {
    if (request.method !== "POST") return handler(request, context);
    const body = context.parsedBody ?? (await readBody(request, maxBodyBytes));
    if (body === TOO_LARGE) return tooLarge(maxBodyBytes);
    const origin: Origin = {
      authInfo: context.authInfo,
      headers: request.headers,
      address: address?.(request) ?? clientContext.address(),
      sessionId: request.headers.get("mcp-session-id") ?? undefined,
    };
    const ruling = await decide({ body, origin, signal: request.signal });
    if (ruling.kind === "cancelled") return new Response(null, { status: 202 });
    if (ruling.kind === "answer") return answered(ruling);
    const { admission, requests, ticket } = ruling;
    const run = async () =>
      ticket === undefined ? handler(request, context) : handler(...(await stripped(request, context, ticket)));
    if (admission === undefined) return run();
    return served(gate, admission, requests, origin, run);
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
  try {
    const response = await run();
    const hear = (id: unknown, result: unknown) => {
      const request = requests.find((one) => one.id === id);
      if (request !== undefined) gate.sawAnswer(request, origin, result);
    };
    const watched = gate.watches === "nothing" ? response : watchAnswers(response, gate.watches, hear);
    return admission.holdsPlaces || gate.watches === "everything" ? whenRead(watched, admission) : watched;
  } catch (error) {
    admission.finish();
    throw error;
  }
}

/** The same without the ticket, which is none of the server's. */
async function stripped(request: Request, context: FetchContext, ticket: string): Promise<[Request, FetchContext]> {
  const { parsedBody, ...rest } = context;
  if (parsedBody !== undefined) {
    const { requestState: _, ...params } = (parsedBody as JsonRpcRequest).params ?? {};
    return [request, { ...rest, parsedBody: { ...(parsedBody as JsonRpcRequest), params } }];
  }
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  return [new Request(request, { headers, body: withoutTicket(await request.text(), ticket) }), rest];
}

function answered({ body, status, fields }: Extract<Ruling, { kind: "answer" }>): Response {
  const response = Response.json(body, { status });
  for (let i = 0; i < fields.length; i += 2) response.headers.set(fields[i]!, fields[i + 1]!);
  return response;
}

function tooLarge(limit: number): Response {
  const message = `The body of a request has at most ${limit} bytes on this server.`;
  return Response.json({ jsonrpc: "2.0", id: null, error: { code: -32_600, message } }, { status: 413 });
}
