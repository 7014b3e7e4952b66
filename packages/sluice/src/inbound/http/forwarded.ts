import { MAX_HOPS } from "./trusted-proxies.ts";

/** Which header the proxies write. */
export type ForwardedHeader = "x-forwarded-for" | "forwarded";

/** Only the end of a longer header is read: what a trusted proxy adds stands there. */
const MAX_LENGTH = 4096;
const PAIR = /\s*([\w!#$%&'*+.^`|~-]+)=(?:"([^"\\]*)"|([^\s";,]*))\s*(;|$)/y;

/**
 * The clients that proxies name, from the nearest hop to the farthest: from the right, because everybody
 * on the way adds to the right and a client can put on the left what it likes. What names no client is `""`.
 */
export function forwardedHops(kind: ForwardedHeader, header: string): readonly string[] {
  const isCut = header.length > MAX_LENGTH;
  const text = isCut ? header.slice(-MAX_LENGTH) : header;
  const hops: string[] = [];
  let end = text.length;
  while (end >= 0 && hops.length < MAX_HOPS) {
    const start = kind === "forwarded" ? unquotedComma(text, end) : text.lastIndexOf(",", end - 1);
    const element = start < 0 && isCut ? "" : text.slice(start + 1, end);
    hops.push(kind === "forwarded" ? forOf(element) : element.trim());
    if (end === 0) break;
    end = start;
  }
  return hops;
}

/** Where the last comma before `end` is that stands outside of quotes. Read from the right, so that an open quote further left hides nothing. */
function unquotedComma(text: string, end: number): number {
  let isQuoted = false;
  for (let i = end - 1; i >= 0; i--) {
    if (text[i] === '"') isQuoted = !isQuoted;
    else if (text[i] === "," && !isQuoted) return i;
  }
  return -1;
}

/** The value of the only `for` in an element such as `for="[2001:db8::1]:443";proto=https` (RFC 7239, section 4). */
function forOf(element: string): string {
  let client: string | undefined;
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < element.length) {
    const pair = PAIR.exec(element);
    if (pair === null) return "";
    if (pair[1]!.toLowerCase() !== "for") continue;
    if (client !== undefined) return "";
    client = pair[2] ?? pair[3];
  }
  return client ?? "";
}
