/** Members that decide what a message is. In any other spelling, a lenient parser may take them for these. */
const DECISIVE = new Set(["jsonrpc", "id", "method", "params", "name", "uri", "arguments", "_meta"]);

/** Objects in which keys are looked at, by their path: what says which call it is, and what limits may depend on. */
const EXAMINED = new Set(["", "params", "params/arguments", "params/_meta", "params/ref"]);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const COMMA = 0x2c;

/**
 * Says why another parser could read this JSON as another call; `undefined` when it could not.
 *
 * Parsers differ in keys that stand twice (first or last one wins), in upper and lower case (Go's is lenient), and in
 * what follows a NUL. The text must be valid JSON: it is only looked through, not parsed.
 */
export function ambiguityIn(text: string): string | undefined {
  const scan = new Scan(text);
  scan.space();
  if (scan.code() !== OPEN_LIST) return scan.object("");
  return scan.list(() => (scan.code() === OPEN_OBJECT ? scan.object("") : scan.skip()));
}

class Scan {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  space(): void {
    while (this.code() <= 0x20) this.#at++;
  }

  /** The members of an object at `path`, if it is one; anything else is skipped. */
  object(path: string): string | undefined {
    if (this.code() !== OPEN_OBJECT || !EXAMINED.has(path)) return this.skip();
    const seen = new Set<string>();
    this.#at++;
    this.space();
    while (this.code() !== CLOSE_OBJECT) {
      const key = this.#string();
      const folded = foldedKey(key);
      const isDecisive = path !== "params/arguments" && DECISIVE.has(folded);
      if (isDecisive && key !== folded) return `the key ${JSON.stringify(key)} can be read as "${folded}"`;
      if (seen.has(key)) return `the key ${JSON.stringify(key)} stands twice`;
      seen.add(key);
      this.space();
      this.#at++; // the colon
      this.space();
      const found = this.object(path === "" ? key : `${path}/${key}`);
      if (found !== undefined) return found;
      this.#next();
    }
    this.#at++;
    return undefined;
  }

  /** Looks at every element of a list. */
  list(look: () => string | undefined): string | undefined {
    this.#at++;
    this.space();
    while (this.code() !== CLOSE_LIST) {
      const found = look();
      if (found !== undefined) return found;
      this.#next();
    }
    return undefined;
  }

  /** Goes past one value, however deep it is. */
  skip(): undefined {
    let depth = 0;
    do {
      const code = this.code();
      if (code === QUOTE) this.#pastString();
      else if (code === OPEN_OBJECT || code === OPEN_LIST) {
        depth++;
        this.#at++;
      } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
        depth--;
        this.#at++;
      } else if (depth > 0) this.#at++;
      else this.#pastPlain();
    } while (depth > 0);
  }

  #next(): void {
    this.space();
    if (this.code() === COMMA) this.#at++;
    this.space();
  }

  #string(): string {
    const from = this.#at;
    this.#pastString();
    const raw = this.#text.slice(from, this.#at);
    return raw.includes("\\") ? JSON.parse(raw) : raw.slice(1, -1);
  }

  #pastString(): void {
    this.#at++;
    for (;;) {
      const code = this.code();
      this.#at++;
      if (code === QUOTE) return;
      if (code === BACKSLASH) this.#at++;
    }
  }

  /** A number, `true`, `false` or `null`. */
  #pastPlain(): void {
    for (;;) {
      const code = this.code();
      if (!(code > 0x20) || code === COMMA || code === CLOSE_OBJECT || code === CLOSE_LIST) return;
      this.#at++;
    }
  }
}

/** What the most lenient parser takes a key for: without regard to case (ſ and K too), and only up to a NUL. */
function foldedKey(key: string): string {
  if (PLAIN.test(key)) return key;
  const [text = ""] = key.split("\0");
  return text.toUpperCase().toLowerCase();
}

const PLAIN = /^[a-z_0-9]*$/;
