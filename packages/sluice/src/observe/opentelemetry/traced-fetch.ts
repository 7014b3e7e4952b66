import { answerReader } from "../../inbound/mcp/answer-reader.ts";
import { requestsIn } from "../../inbound/mcp/gate.ts";
import { readBody, TOO_LARGE } from "../../inbound/mcp/read-body.ts";
import type { FetchContext, FetchLike } from "../../inbound/mcp/types.ts";
import type { Operation } from "./operations.ts";
import type { Receive } from "./traced-server.ts";
import type { OpenTelemetryApi } from "./types.ts";

export interface TracedFetchOptions {
  /** Larger bodies are passed on without a span. In bytes. @default 4 MiB, as the SDK */
  readonly maxBodyBytes?: number;
}

/** The same handler, in which each request of a client has a span, from its coming to the end of its response. */
export function tracedFetch(
  handler: FetchLike,
  api: OpenTelemetryApi,
  receive: Receive,
  { maxBodyBytes = 4 * 1024 * 1024 }: TracedFetchOptions = {},
): FetchLike {
  return async (request: Request, context: FetchContext = {}): Promise<Response> => {
    if (request.method !== "POST") return handler(request, context);
    const body = context.parsedBody ?? (await readBody(request, maxBodyBytes));
    const requests = body === undefined || body === TOO_LARGE ? [] : requestsIn([body].flat());
    if (requests.length === 0) return handler(request, context);
    const carriage = {
      isHttp: true,
      sessionId: request.headers.get("mcp-session-id") ?? undefined,
      protocolVersion: request.headers.get("mcp-protocol-version") ?? undefined,
    };
    const running = new Map(requests.map((one) => [one.id as unknown, receive(one, carriage)]));
    const all = [...running.values()];
    // What is read here need not be read again, and what a limit inside says of a request finds its span.
    const run = () => handler(request, { ...context, parsedBody: body }) as Promise<Response>;
    try {
      // Those of a batch have no span in common.
      const response = all.length === 1 ? await api.context.with(all[0]!.context, run) : await run();
      return heard(response, running);
    } catch (error) {
      for (const operation of all) operation.failed(error instanceof Error ? error.name : "_OTHER");
      throw error;
    }
  };
}

/** The same response, whose answers end the spans of their requests as they pass. */
function heard(response: Response, running: ReadonlyMap<unknown, Operation>): Response {
  const { status, body } = response;
  const failed = (errorType: string) => {
    for (const operation of running.values()) operation.failed(errorType);
  };
  const reader = answerReader("everything", (id, answer) => running.get(id)?.answered(answer));
  // An answer too large to be looked at was one all the same.
  const end = () => {
    reader.end();
    if (status >= 400) failed(String(status));
    else for (const operation of running.values()) operation.ended();
  };
  if (body === null) {
    end();
    return response;
  }
  const chunks = body.getReader();
  const passed = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await chunks.read();
        if (done) {
          end();
          return controller.close();
        }
        reader.push(value);
        controller.enqueue(value);
      } catch (error) {
        failed("connection_closed");
        controller.error(error);
      }
    },
    cancel(reason) {
      failed("connection_closed");
      return chunks.cancel(reason);
    },
  });
  return new Response(passed, response);
}
