import { Scan } from "./scan.ts";

/** Where a value stands in a message: keys from the outside to the inside. */
export type Path = readonly string[];

/**
 * The text of some values of a message, as it is written there. Bytes are taken for characters (Latin-1), so nothing is lost.
 *
 * @returns a list like `paths`; `undefined` for what is not there
 */
export function valuesIn(message: Buffer, paths: readonly Path[]): readonly (string | undefined)[] {
  const text = message.toString("latin1");
  const found = spansIn(text, paths);
  return paths
    .map((_, i) => found.find(({ path }) => path === i))
    .map((span) => span && text.slice(span.from, span.to));
}

/** The same message with other values, byte by byte as it was otherwise. What is not there is not added. */
export function withValues(message: Buffer, values: readonly { readonly path: Path; readonly text: string }[]): Buffer {
  const text = message.toString("latin1");
  let changed = "";
  let from = 0;
  for (const span of spansIn(
    text,
    values.map(({ path }) => path),
  )) {
    changed += text.slice(from, span.from) + values[span.path]!.text;
    from = span.to;
  }
  return Buffer.from(changed + text.slice(from), "latin1");
}

interface Span {
  /** Which of the paths leads here. */
  readonly path: number;
  readonly from: number;
  readonly to: number;
}

/** In the order of the text. */
function spansIn(text: string, paths: readonly Path[]): readonly Span[] {
  const scan = new Scan(text);
  const spans: Span[] = [];
  /** `on` are the paths that lead at least here. */
  const visit = (depth: number, on: readonly number[]): undefined => {
    const here = on.find((i) => paths[i]!.length === depth);
    if (here === undefined && on.length > 0 && scan.isObject) {
      scan.members((key) =>
        visit(
          depth + 1,
          on.filter((i) => paths[i]![depth] === key),
        ),
      );
      return;
    }
    const from = scan.at;
    scan.skip();
    if (here !== undefined) spans.push({ path: here, from, to: scan.at });
  };
  visit(0, [...paths.keys()]);
  return spans;
}
