import { StringDecoder } from "node:string_decoder";

/** Lines in a row, and the number of the first of them, counted from 1. */
export interface Lines {
  readonly first: number;
  readonly texts: readonly (string | undefined)[];
}

/** A longer line is none of a log: it is skipped, whatever its length. In characters. */
export const LONGEST_LINE = 1_000_000;

/** Cuts bytes into lines. One that is too long is `undefined`. */
export async function* linesOf(chunks: AsyncIterable<Buffer>, longest = LONGEST_LINE): AsyncGenerator<Lines> {
  const decoder = new StringDecoder("utf8");
  let number = 1;
  let rest = "";
  let isSkipping = false;

  function cut(text: string): Lines {
    const texts: (string | undefined)[] = (rest + text).split("\n");
    rest = texts.pop()!;
    if (isSkipping && texts.length > 0) {
      texts[0] = undefined;
      isSkipping = false;
    }
    for (let i = 0; i < texts.length; i++)
      if (texts[i] !== undefined && texts[i]!.length > longest) texts[i] = undefined;
    if (isSkipping || rest.length > longest) {
      isSkipping = true;
      rest = "";
    }
    const lines = { first: number, texts };
    number += texts.length;
    return lines;
  }

  for await (const chunk of chunks) {
    const lines = cut(decoder.write(chunk));
    if (lines.texts.length > 0) yield lines;
  }
  const lines = cut(decoder.end());
  const last = isSkipping ? [undefined] : rest === "" ? [] : [rest];
  const texts = [...lines.texts, ...last];
  if (texts.length > 0) yield { first: lines.first, texts };
}
