/** Answers larger than this are not looked at. In characters. */
const MAX_WATCHED = 262_144;
const ROUNDS_MARK = '"input_required"';

/** Finds answers in the body of a response as it passes. */
export interface AnswerReader {
  push(chunk: Uint8Array): void;
  /** The body is complete. */
  end(): void;
}

/**
 * Reads JSON, or a stream of events (SSE), which is looked through event by event.
 *
 * @param wanted `"rounds"`: only answers that ask for input, which are rare, so that others cost next to nothing
 * @param onAnswer hears of the id, and of the result or the error
 */
export function answerReader(
  wanted: "rounds" | "everything",
  onAnswer: (id: unknown, answer: unknown) => void,
): AnswerReader {
  const decoder = new TextDecoder();
  let text = "";
  let isTooLarge = false;

  /** Whether there were messages in it: then it is complete. */
  function look(document: string): boolean {
    if (wanted === "rounds" && !document.includes(ROUNDS_MARK)) return false;
    const messages = messagesIn(document);
    for (const { id, method, result, error } of messages) {
      if (id !== undefined && method === undefined) onAnswer(id, result ?? error);
    }
    return messages.length > 0;
  }

  /** Whole events; what is left is the beginning of one. */
  function lookAtEvents(): void {
    const events = text.split(/\r?\n\r?\n/);
    text = events.pop()!;
    for (const event of events) look(dataOf(event));
  }

  const isJson = () => /^\s*[[{]/.test(text);

  return {
    push(chunk) {
      if (isTooLarge) return;
      text += decoder.decode(chunk, { stream: true });
      if (!isJson()) lookAtEvents();
      isTooLarge = text.length > MAX_WATCHED;
      if (isTooLarge) text = "";
      // So that a client that reads fast finds its next leg free.
      else if (wanted === "rounds" && isJson() && look(text)) text = "";
    },
    end() {
      if (isTooLarge || text === "") return;
      look(isJson() ? text : dataOf(text));
      text = "";
    },
  };
}

const dataOf = (event: string): string =>
  event
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []))
    .join("\n");

function messagesIn(document: string): readonly any[] {
  try {
    return [JSON.parse(document)].flat().filter((message) => typeof message === "object" && message !== null);
  } catch {
    return [];
  }
}
