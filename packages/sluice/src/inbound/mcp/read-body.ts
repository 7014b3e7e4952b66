/** What a body is that has more bytes than are read. */
export const TOO_LARGE = Symbol("too large");

/** The JSON in a copy of the body, so that the handler reads the original and keeps its own answers to bad ones. */
export async function readBody(request: Request, limit: number): Promise<unknown> {
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
