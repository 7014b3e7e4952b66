import type { IncomingMessage } from "node:http";

/** A body that is not read to its end, and why. */
export type Unread = "too large" | "too slow" | "gone";

/**
 * The bytes of a request's body.
 *
 * @param maxBytes what is larger is not kept
 * @param patienceMs a client that sends more slowly than this keeps nothing of ours
 */
export function readBody(request: IncomingMessage, maxBytes: number, patienceMs: number): Promise<Buffer | Unread> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return Promise.resolve("too large");
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => end("too slow"), patienceMs);
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) end("too large");
      else chunks.push(chunk);
    };
    const onEnd = () => end(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    const onClose = () => end("gone");
    function end(outcome: Buffer | Unread): void {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      // An error that comes later has no other listener.
      request.on("error", () => {});
      if (typeof outcome === "string") request.pause();
      resolve(outcome);
    }
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}
