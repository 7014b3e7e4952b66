import { shown } from "../algorithms/numbers.ts";

/** A text, in which `*` stands for any characters; or several, of which one must match. */
export type Pattern = string | readonly string[];

/** Whether a text matches, and whether a pattern names it without a `*`. */
export interface Matcher {
  matches(text: string): boolean;
  names(text: string): boolean;
}

/** @throws TypeError for anything but texts that are not empty. */
export function matcherOf(where: string, pattern: Pattern): Matcher {
  const texts = [pattern].flat();
  if (texts.length === 0 || texts.some((text) => typeof text !== "string" || text === "")) {
    throw new TypeError(
      `${where} is a text such as "search" or "files_*", or a list of such, but it is ${shown(pattern)}.`,
    );
  }
  const exact = new Set(texts.filter((text) => !text.includes("*")));
  const open = texts.filter((text) => text.includes("*")).map((text) => text.split("*"));
  return {
    matches: (text) => exact.has(text) || open.some((parts) => fits(text, parts)),
    names: (text) => exact.has(text),
  };
}

/** Whether the parts between the stars stand in the text in this order. Linear in its length, whatever the pattern: no backtracking. */
function fits(text: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
