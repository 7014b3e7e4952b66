import { field } from "../field.ts";

/**
 * What a thrown error tells about the call that it ended. `answered`: the upstream answered, with a status from 400.
 * `unsent`: the request did not leave this machine. `lost`: the connection broke, or time ran out.
 * `cancelled`: somebody here did not want it any more.
 */
export type Failure = { readonly kind: "answered"; readonly status: number } | { readonly kind: Kind };
type Kind = "unsent" | "lost" | "cancelled" | "unknown";

/** No connection came about: nothing can have been sent. */
const UNSENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ERR_SOCKET_CONNECTION_TIMEOUT",
  "ERR_HTTP2_GOAWAY_SESSION",
  "ConnectionRefused",
]);

/** The request may have arrived. */
const LOST = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "ETIMEDOUT",
  "ESOCKETTIMEDOUT",
  "EPIPE",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ENETRESET",
  "UND_ERR_SOCKET",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_NETWORK",
  "ConnectionClosed",
]);

const CANCELLED = new Set(["ERR_CANCELED", "ABORT_ERR", "UND_ERR_ABORTED", "UND_ERR_ABORT"]);
const CANCELLED_NAMES = new Set(["AbortError", "CanceledError", "CancelError"]);

/** How `fetch` says outside of Node that the network failed: it has no code there. */
const LOST_MESSAGES =
  /^(?:Failed to fetch|Load failed|NetworkError when attempting to fetch resource\.?|Network connection lost\.?|The network connection was lost\.?)$/;

/** Errors have errors as their cause: so deep is looked. */
const DEPTH = 5;

/**
 * What an error tells, whoever threw it: it is read by its fields, never by its class. Known are `fetch` of Node and
 * of browsers, undici, Node's sockets, axios, got, ky, AWS SDKs, and all that keep a `status`, a `code` or a `cause`.
 */
export function readFailure(error: unknown): Failure {
  return read(error, DEPTH) ?? { kind: "unknown" };
}

function read(error: unknown, depth: number): Failure | undefined {
  if (depth === 0 || typeof error !== "object" || error === null) return undefined;
  const status = statusOf(error);
  if (status !== undefined) return { kind: "answered", status };

  const name = field(error, "name");
  const code = field(error, "code");
  const cause = () => read(field(error, "cause"), depth - 1);
  if (isIn(CANCELLED, code) || isIn(CANCELLED_NAMES, name)) {
    // Node's own functions wrap the reason of the signal: running out of time is no wish of the caller.
    const why = cause();
    return why?.kind === "lost" ? why : { kind: "cancelled" };
  }
  if (isIn(UNSENT, code) || isOfConnecting(error)) return { kind: "unsent" };
  if (isIn(LOST, code) || name === "TimeoutError") return { kind: "lost" };
  return ofSeveral(field(error, "errors"), depth) ?? cause() ?? ofMessage(error, name);
}

/** Several addresses of one host were tried: nothing was sent if nothing was sent to any of them. */
function ofSeveral(errors: unknown, depth: number): Failure | undefined {
  if (!Array.isArray(errors)) return undefined;
  const failures = errors.map((error) => read(error, depth - 1));
  const mayBeSent = failures.find((failure) => failure !== undefined && failure.kind !== "unsent");
  if (mayBeSent !== undefined) return mayBeSent;
  return failures.includes(undefined) ? undefined : failures[0];
}

function ofMessage(error: object, name: unknown): Failure | undefined {
  const message = field(error, "message");
  const isNetwork = (name === "TypeError" || name === "Error") && typeof message === "string";
  return isNetwork && LOST_MESSAGES.test(message) ? { kind: "lost" } : undefined;
}

/** Node says which call to the system failed: what failed while connecting was not sent. */
function isOfConnecting(error: object): boolean {
  const syscall = field(error, "syscall");
  return (syscall === "connect" || syscall === "getaddrinfo") && typeof field(error, "code") === "string";
}

function statusOf(error: object): number | undefined {
  const response = field(error, "response");
  const metadata = field(error, "$metadata");
  const candidates = [
    field(response, "status"),
    field(response, "statusCode"),
    field(error, "status"),
    field(error, "statusCode"),
    field(metadata, "httpStatusCode"),
  ];
  return candidates.find(isErrorStatus);
}

/** An error may be thrown after an answer that was fine: then its status explains nothing. */
function isErrorStatus(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599;
}

function isIn(names: ReadonlySet<string>, value: unknown): boolean {
  return typeof value === "string" && names.has(value);
}
