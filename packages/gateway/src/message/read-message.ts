import { Buffer, isUtf8 } from "node:buffer";
import { ambiguityIn } from "./ambiguity.ts";

/** What a client sent, as the limiter and the server behind it must both read it. */
export type Reading =
  /** One message, or the several of a batch (protocol 2025-03-26). */
  | { readonly kind: "messages"; readonly messages: readonly unknown[]; readonly isBatch: boolean }
  /** Not JSON: nobody knows what a lenient parser would make of it, so it is not passed on. */
  | { readonly kind: "unreadable"; readonly why: string }
  /** JSON that two parsers may read as two different calls. */
  | { readonly kind: "ambiguous"; readonly why: string; readonly ids: readonly (string | number | null)[] };

/**
 * Reads the bytes of a message without changing them.
 *
 * What passes the gateway is forwarded as it came, so the server behind parses it once more. A body that another
 * parser could read differently (a key that stands twice, `Method` beside `method`; see CVE-2026-27896) would let a
 * client run something else than was counted. Such a body is not forwarded, and neither is what is no JSON at all.
 */
export function readMessage(bytes: Uint8Array): Reading {
  if (!isUtf8(bytes)) return { kind: "unreadable", why: "it is not UTF-8" };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: "unreadable", why: `it is not JSON (${(error as Error).message})` };
  }
  const isBatch = Array.isArray(value);
  const messages = isBatch ? (value as unknown[]) : [value];
  const why = ambiguityIn(text);
  if (why === undefined) return { kind: "messages", messages, isBatch };
  return { kind: "ambiguous", why, ids: messages.flatMap(idOf) };
}

/** The ids that want an answer. */
function idOf(message: unknown): readonly (string | number | null)[] {
  const { id } = (message ?? {}) as { id?: unknown };
  return typeof id === "string" || typeof id === "number" ? [id] : [];
}
