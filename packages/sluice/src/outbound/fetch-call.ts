import type { Attempt } from "./call.ts";
import type { Repeatable } from "./retry/may-repeat.ts";

export type FetchInput = string | URL | Request;

/** A call of `fetch`, and whether it may be made twice. */
export interface FetchCall {
  readonly make: (attempt: Attempt) => Promise<Response>;
  readonly repeatable: Repeatable;
  readonly signal: AbortSignal | undefined;
  /** Its body is a stream: it can be sent once, whatever the answer. */
  readonly isOnce: boolean;
}

/** Bodies that can be sent once only: what has been read from them is gone. */
const isStream = (body: unknown): boolean =>
  typeof body === "object" && body !== null && ("getReader" in body || Symbol.asyncIterator in body);

/** @param fetcher is called once for each attempt, with a request of its own */
export function fetchCall(fetcher: typeof fetch, input: FetchInput, init: RequestInit = {}): FetchCall {
  const request = input instanceof Request ? input : undefined;
  const method = (init.method ?? request?.method ?? "GET").toUpperCase();
  const headers = new Headers(init.headers ?? request?.headers);
  const isOnce = isStream(init.body);
  const signal = init.signal ?? request?.signal ?? undefined;
  return {
    signal: signal ?? undefined,
    isOnce,
    repeatable: { method, hasIdempotencyKey: headers.has("idempotency-key") },
    make: ({ signal: attemptSignal }) =>
      fetcher(request === undefined || isOnce ? input : request.clone(), { ...init, signal: attemptSignal }),
  };
}
