import type { Admission } from "./admission.ts";
import { type AnswerReader, answerReader } from "./answer-reader.ts";

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

/** The same response, whose answers are heard of before the client reads them. */
export function watchAnswers(
  response: Response,
  wanted: "rounds" | "everything",
  onAnswer: (id: unknown, answer: unknown) => void,
): Response {
  if (response.body === null || response.status !== 200) return response;
  const reader: AnswerReader = answerReader(wanted, onAnswer);
  const watcher = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      reader.push(chunk);
      controller.enqueue(chunk);
    },
    flush: () => reader.end(),
  });
  return new Response(response.body.pipeThrough(watcher), response);
}
