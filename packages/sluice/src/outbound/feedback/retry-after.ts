import type { HeaderReader } from "./headers.ts";
import { believable, readTime } from "./stated-time.ts";

/** Fields in milliseconds: of OpenAI, Azure and AWS. */
const IN_MILLISECONDS = ["retry-after-ms", "x-ms-retry-after-ms", "x-amz-retry-after"];
/** Fields in seconds, or with a date. */
const IN_SECONDS = [
  "retry-after",
  "x-ratelimit-retry-after",
  "x-rate-limit-retry-after",
  "x-rate-limit-retry-after-seconds",
];

/**
 * How long a response says to wait, in milliseconds from its arrival: `Retry-After` (RFC 9110, section 10.2.3) and the
 * fields that others use for it. Who says several times is taken at the latest. But milliseconds that agree with
 * seconds to within one second are the same time, less rounded.
 *
 * @param serverMs what the clock of the server says now, in milliseconds since 1970.
 */
export function readRetryAfter(header: HeaderReader, serverMs: number): number | undefined {
  const exact = latest(IN_MILLISECONDS, (name) => spread(header(name), readMilliseconds));
  const rounded = latest(IN_SECONDS, (name) => spread(header(name), (text) => readTime(text, serverMs)));
  if (exact === undefined || rounded === undefined) return exact ?? rounded;
  return rounded - exact < 1000 ? exact : rounded;
}

const readMilliseconds = (text: string): number | undefined =>
  /^\d+(?:\.\d+)?$/.test(text) ? believable(Number(text)) : undefined;

/** A field that stands there twice arrives as one, joined by a comma; but a comma is in dates too. */
function spread(text: string | undefined, read: (text: string) => number | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^[\d., ]*,[\d., ]*$/.test(text) ? latest(text.split(","), (part) => read(part.trim())) : read(text);
}

function latest(texts: readonly string[], read: (text: string) => number | undefined): number | undefined {
  let most: number | undefined;
  for (const text of texts) {
    const ms = read(text);
    if (ms !== undefined && (most === undefined || ms > most)) most = ms;
  }
  return most;
}
