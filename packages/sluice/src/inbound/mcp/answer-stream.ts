import type { Admission } from "./admission.ts";

/** The same response; the admission's places go back when its body has been read to the end or given up. */
export function whenRead(response: Response, admission: Admission): Response {
  if (response.body === null) {
    admission.finish();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await reader.read();
        if (!done) return controller.enqueue(value);
        admission.finish();
        controller.close();
      } catch (error) {
        admission.finish();
        controller.error(error);
      }
    },
    cancel(reason) {
      // The client has gone, but the work may go on: the place is held until its lease ends.
      admission.abandon();
      return reader.cancel(reason);
    },
  });
  return new Response(body, response);
}

/** Answers larger than this are not looked at: a request for input is small. In characters. */
const MAX_WATCHED = 262_144;
const MARK = '"input_required"';

/**
 * The same response; `onResult` hears of a result that asks for input, whether it comes as JSON or in
 * an event stream, before the client does.
 */
export function watchAnswers(response: Response, onResult: (id: unknown, result: unknown) => void): Response {
  if (response.body === null || response.status !== 200) return response;
  const decoder = new TextDecoder();
  let text = "";
  const watcher = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (text.length < MAX_WATCHED) text += decoder.decode(chunk, { stream: true });
      if (text.includes(MARK)) {
        for (const { id, result } of messagesIn(text)) onResult(id, result);
      }
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(watcher), response);
}

function messagesIn(text: string): readonly { readonly id?: unknown; readonly result?: unknown }[] {
  const documents =
    text.trimStart().startsWith("{") || text.trimStart().startsWith("[")
      ? [text]
      : text.split(/\r?\n\r?\n/).map((event) =>
          event
            .split(/\r?\n/)
            .flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []))
            .join("\n"),
        );
  return documents.flatMap((document) => {
    try {
      return [JSON.parse(document)].flat().filter((message) => typeof message === "object" && message !== null);
    } catch {
      return [];
    }
  });
}
