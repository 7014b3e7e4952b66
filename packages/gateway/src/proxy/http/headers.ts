/** Fields that mean one connection only (RFC 9110 §7.6.1), and what Node writes by itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/**
 * Raw header fields (names and values in turn) that go on, as they came: spelling, order and repetitions too. Without
 * those of the connection, and those that `connection` names.
 */
export function endToEnd(raw: readonly string[]): string[] {
  const dropped = new Set(HOP_BY_HOP);
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== "connection") continue;
    for (const name of raw[i + 1]!.split(",")) dropped.add(name.trim().toLowerCase());
  }
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (!dropped.has(raw[i]!.toLowerCase())) kept.push(raw[i]!, raw[i + 1]!);
  }
  return kept;
}

/** The same fields, one of them with another value: in its place, or at the end. */
export function withField(raw: readonly string[], name: string, value: string): string[] {
  const fields: string[] = [];
  let isThere = false;
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== name) fields.push(raw[i]!, raw[i + 1]!);
    else if (!isThere) {
      fields.push(raw[i]!, value);
      isThere = true;
    }
  }
  if (!isThere) fields.push(name, value);
  return fields;
}

/** One more in a list such as `x-forwarded-for`, which may stand in several fields. */
export function withElement(raw: readonly string[], name: string, element: string): string[] {
  const elements: string[] = [];
  for (let i = 0; i < raw.length; i += 2) if (raw[i]!.toLowerCase() === name) elements.push(raw[i + 1]!);
  return withField(raw, name, [...elements, element].join(", "));
}
