import type { Outcome } from "./outcome.ts";

export interface ResponseOutcomeOptions {
  /** Longer bodies are not shared. */
  readonly maxBodyBytes: number;
  /** Of the call that the response answers. */
  readonly controller: AbortController;
}

/** Whether a value behaves like the Response of fetch, whoever made it. */
export function isResponse(value: unknown): value is Response {
  const { clone, bodyUsed, headers, status } = (value ?? {}) as Partial<Response>;
  return (
    typeof clone === "function" &&
    typeof bodyUsed === "boolean" &&
    typeof status === "number" &&
    typeof headers?.get === "function"
  );
}

/** Bodies that come in bit by bit and may never end. */
const STREAMS =
  /^(?:text\/event-stream|multipart\/x-mixed-replace|application\/(?:x-ndjson|ndjson|jsonl|json-seq|stream\+json|grpc.*))\b/i;

/**
 * A response that each caller gets as one of his own.
 *
 * Its body is read into memory once, and everybody gets a new Response of these bytes. `clone()` would not do: it
 * keeps for each clone what that one has not read, so a caller who looks at the status alone would hold a body for
 * as long as the value is kept, and a body of which nobody reads anything would hold its connection.
 *
 * What is longer than `maxBodyBytes`, or is a stream by its type, goes to one caller as it comes in, and the others
 * make calls of their own. An answer of 400 or more is an error: shared, but not kept.
 */
export async function responseOutcome(response: Response, options: ResponseOutcomeOptions): Promise<Outcome<Response>> {
  const { maxBodyBytes, controller } = options;
  const { status, body, bodyUsed, headers } = response;
  // Errors of the network and answers that may not be looked at have no status, and cannot be made anew.
  if (bodyUsed || status < 200 || status > 599) return forOne(() => response);
  const isKeepable = status < 400;
  if (body === null) return { isGone: false, isKeepable, bytes: 0, give: () => remade(response, null) };
  if (typeof body.getReader !== "function") return forOne(() => response);
  const isLong = Number(headers.get("content-length") ?? 0) > maxBodyBytes;
  const isStream = isLong || STREAMS.test(headers.get("content-type") ?? "");
  const source = bodyOf(body.getReader(), controller.signal);
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (!isStream && length <= maxBodyBytes) {
    const chunk = await source.next();
    if (chunk === undefined) {
      const bytes = joined(chunks, length);
      return { isGone: false, isKeepable, bytes: length, give: () => remade(response, bytes) };
    }
    chunks.push(chunk);
    length += chunk.length;
  }
  return forOne((signal) => remade(response, flowing(chunks, source, controller, signal)));
}

/** The first who asks gets it. */
function forOne(give: Outcome<Response>["give"]): Outcome<Response> {
  let isGone = false;
  return {
    get isGone() {
      return isGone;
    },
    isKeepable: false,
    bytes: 0,
    give(signal) {
      isGone = true;
      return give(signal);
    },
  };
}

interface Body {
  /** Undefined: that was all. @throws the reason when the call was aborted. */
  next(): Promise<Uint8Array | undefined>;
  cancel(reason: unknown): Promise<void>;
}

/** A body that is let go of when its call is aborted, even if the call itself does not care. */
function bodyOf(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal): Body {
  const cancel = (reason: unknown) => reader.cancel(reason).catch(() => {});
  signal.addEventListener("abort", () => cancel(signal.reason), { once: true });
  return {
    async next() {
      const { value } = await reader.read();
      signal.throwIfAborted();
      return value;
    },
    cancel,
  };
}

/** What has been read, then what still comes in: until the end, or until the caller's signal aborts. */
function flowing(
  chunks: Uint8Array[],
  source: Body,
  controller: AbortController,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const abort = () => controller.abort(signal!.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const ended = () => signal?.removeEventListener("abort", abort);
  return new ReadableStream<Uint8Array>(
    {
      async pull(stream) {
        try {
          const chunk = chunks.shift() ?? (await source.next());
          if (chunk !== undefined) return stream.enqueue(chunk);
          stream.close();
        } catch (error) {
          stream.error(error);
        }
        ended();
      },
      cancel(reason) {
        ended();
        return source.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The same response with a body of its own. A new Response forgets where it came from: that is put back. */
function remade(response: Response, body: Uint8Array<ArrayBuffer> | ReadableStream | null): Response {
  const { status, statusText, headers, url, redirected, type } = response;
  const Kind = response.constructor as typeof Response;
  const fresh = new Kind(body, { status, statusText, headers });
  for (const [name, value] of Object.entries({ url, redirected, type })) Object.defineProperty(fresh, name, { value });
  return fresh;
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
