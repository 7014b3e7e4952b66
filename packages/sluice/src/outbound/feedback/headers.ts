/**
 * The headers of a response as its HTTP client has them: an object with `get` (fetch, undici's `fetch`, axios), or a
 * record of names and values (Node, undici's `request`, got).
 */
export type ResponseHeaders =
  | { get(name: string): unknown }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The value of a header by its name in lower case, or undefined where there is none. Several values are joined by commas. */
export type HeaderReader = (name: string) => string | undefined;

/** Longer values are not read: nobody who states a limit needs so much. */
const MAX_LENGTH = 8192;

/** A reader of headers in any of these shapes. What is no text, no number and no list of texts counts as absent. */
export function headerReader(headers: ResponseHeaders): HeaderReader {
  if (typeof headers !== "object" || headers === null) return () => undefined;
  const { get } = headers;
  if (typeof get === "function") return (name) => textOf(get.call(headers, name));
  // Names in records are lower case with most clients, but not with all.
  const values = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => textOf(values.get(name));
}

function textOf(value: unknown): string | undefined {
  const text = Array.isArray(value) ? value.join(", ") : typeof value === "number" ? `${value}` : value;
  return typeof text === "string" && text.length <= MAX_LENGTH ? text.trim() : undefined;
}
