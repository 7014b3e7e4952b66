const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const COMMA = 0x2c;

/** Goes through the text of valid JSON without parsing it. Its places are those of the text. */
export class Scan {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#space();
  }

  /** Where it stands: before a value. */
  get at(): number {
    return this.#at;
  }

  get isObject(): boolean {
    return this.#code() === OPEN_OBJECT;
  }

  get isList(): boolean {
    return this.#code() === OPEN_LIST;
  }

  /**
   * Goes through the members of an object. `visit` goes past the value of the key that it is given.
   *
   * @returns what the first `visit` returned that returned something: the rest is not gone through
   */
  members<T>(visit: (key: string) => T | undefined): T | undefined {
    this.#open();
    while (this.#code() !== CLOSE_OBJECT) {
      const key = this.#string();
      this.#space();
      this.#open(); // the colon
      const found = visit(key);
      if (found !== undefined) return found;
      this.#next();
    }
    this.#at++;
    return undefined;
  }

  /** The same for the elements of a list. */
  elements<T>(visit: () => T | undefined): T | undefined {
    this.#open();
    while (this.#code() !== CLOSE_LIST) {
      const found = visit();
      if (found !== undefined) return found;
      this.#next();
    }
    this.#at++;
    return undefined;
  }

  /** Goes past one value, however deep it is. */
  skip(): undefined {
    let depth = 0;
    do {
      const code = this.#code();
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

  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  #space(): void {
    while (this.#code() <= 0x20) this.#at++;
  }

  #open(): void {
    this.#at++;
    this.#space();
  }

  #next(): void {
    this.#space();
    if (this.#code() === COMMA) this.#open();
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
      const code = this.#code();
      this.#at++;
      if (code === QUOTE) return;
      if (code === BACKSLASH) this.#at++;
    }
  }

  /** A number, `true`, `false` or `null`. */
  #pastPlain(): void {
    for (;;) {
      const code = this.#code();
      if (!(code > 0x20) || code === COMMA || code === CLOSE_OBJECT || code === CLOSE_LIST) return;
      this.#at++;
    }
  }
}
