import { Scan } from "./scan.ts";

/** Members that decide what a message is. In any other spelling, a lenient parser may take them for these. */
const DECISIVE = new Set(["jsonrpc", "id", "method", "params", "name", "uri", "arguments", "_meta"]);

/** Objects in which keys are looked at, by their path: what says which call it is, and what limits may depend on. */
const EXAMINED = new Set(["", "params", "params/arguments", "params/_meta", "params/ref"]);

/**
 * Says why another parser could read this JSON as another call; `undefined` when it could not.
 *
 * Parsers differ in keys that stand twice (first or last one wins), in upper and lower case (Go's is lenient), and in
 * what follows a NUL. The text must be valid JSON: it is only looked through, not parsed.
 */
export function ambiguityIn(text: string): string | undefined {
  const scan = new Scan(text);
  return scan.isList ? scan.elements(() => inObject(scan, "")) : inObject(scan, "");
}

/** Looks at the members of an object at `path`, if it is one; anything else is skipped. */
function inObject(scan: Scan, path: string): string | undefined {
  if (!scan.isObject || !EXAMINED.has(path)) return scan.skip();
  const seen = new Set<string>();
  return scan.members((key) => {
    const folded = foldedKey(key);
    const isDecisive = path !== "params/arguments" && DECISIVE.has(folded);
    if (isDecisive && key !== folded) return `the key ${JSON.stringify(key)} can be read as "${folded}"`;
    if (seen.has(key)) return `the key ${JSON.stringify(key)} stands twice`;
    seen.add(key);
    return inObject(scan, path === "" ? key : `${path}/${key}`);
  });
}

/** What the most lenient parser takes a key for: without regard to case (ſ and K too), and only up to a NUL. */
function foldedKey(key: string): string {
  if (PLAIN.test(key)) return key;
  const [text = ""] = key.split("\0");
  return text.toUpperCase().toLowerCase();
}

const PLAIN = /^[a-z_0-9]*$/;
