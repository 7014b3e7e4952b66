/** A value of a Structured Field by its type. Byte sequences stay in base64; dates are seconds since 1970. */
export type BareItem =
  | { readonly type: "integer" | "decimal" | "date"; readonly value: number }
  | { readonly type: "string" | "token" | "bytes" | "display"; readonly value: string }
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "inner-list"; readonly value: readonly Item[] };

/** A value with its parameters. */
export type Item = BareItem & { readonly parameters: ReadonlyMap<string, BareItem> };

const NUMBER = /-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])/y;
const STRING = /"(?:[ !#-[\]-~]|\\["\\])*"/y;
const TOKEN = /[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*/y;
const BYTES = /:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?:/y;
const BOOLEAN = /\?[01]/y;
const DATE = /@-?\d{1,15}(?![\d.])/y;
const DISPLAY = /%"(?:[ !#$&-~]|%[\da-f]{2})*"/y;
const KEY = /[a-z*][a-z\d_\-.*]*/y;
const SPACES = / */y;
const WHITESPACE = /[ \t]*/y;

/** The members of a List (RFC 9651, section 4.2.1), or undefined for a field that must be ignored. */
export function parseList(text: string): readonly Item[] | undefined {
  const cursor = new Cursor(text);
  const list: Item[] = [];
  const isWhole = cursor.members(() => {
    const member = cursor.item();
    if (member !== undefined) list.push(member);
    return member !== undefined;
  });
  return isWhole ? list : undefined;
}

/** The members of a Dictionary (RFC 9651, section 4.2.2), or undefined for a field that must be ignored. */
export function parseDictionary(text: string): ReadonlyMap<string, Item> | undefined {
  const cursor = new Cursor(text);
  const dictionary = new Map<string, Item>();
  const isWhole = cursor.members(() => {
    const key = cursor.match(KEY);
    if (key === undefined) return false;
    const member = cursor.skip("=") ? cursor.item() : cursor.withParameters({ type: "boolean", value: true });
    if (member !== undefined) dictionary.set(key, member);
    return member !== undefined;
  });
  return isWhole ? dictionary : undefined;
}

/** A place in the text. Every method moves it over what it reads, and answers undefined or false for what is malformed. */
class Cursor {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  skip(character: string): boolean {
    const isThere = this.#text[this.#at] === character;
    if (isThere) this.#at++;
    return isThere;
  }

  members(member: () => boolean): boolean {
    this.match(SPACES);
    if (this.#at === this.#text.length) return true;
    while (member()) {
      this.match(WHITESPACE);
      if (!this.skip(",")) return this.#at === this.#text.length;
      this.match(WHITESPACE);
    }
    return false;
  }

  item(): Item | undefined {
    return this.withParameters(this.#text[this.#at] === "(" ? this.#innerList() : this.#bareItem());
  }

  withParameters(bare: BareItem | undefined): Item | undefined {
    if (bare === undefined) return undefined;
    const parameters = new Map<string, BareItem>();
    while (this.skip(";")) {
      this.match(SPACES);
      const key = this.match(KEY);
      const value: BareItem | undefined = this.skip("=") ? this.#bareItem() : { type: "boolean", value: true };
      if (key === undefined || value === undefined) return undefined;
      parameters.set(key, value);
    }
    return { ...bare, parameters };
  }

  #innerList(): BareItem | undefined {
    this.skip("(");
    const value: Item[] = [];
    for (;;) {
      const spaces = this.match(SPACES)!;
      if (this.skip(")")) return { type: "inner-list", value };
      if (value.length > 0 && spaces === "") return undefined;
      const member = this.withParameters(this.#bareItem());
      if (member === undefined) return undefined;
      value.push(member);
    }
  }

  #bareItem(): BareItem | undefined {
    const number = this.match(NUMBER);
    if (number !== undefined) return { type: number.includes(".") ? "decimal" : "integer", value: Number(number) };
    const string = this.match(STRING);
    if (string !== undefined) return { type: "string", value: string.slice(1, -1).replace(/\\(.)/g, "$1") };
    const token = this.match(TOKEN);
    if (token !== undefined) return { type: "token", value: token };
    const bytes = this.match(BYTES);
    if (bytes !== undefined) return { type: "bytes", value: bytes.slice(1, -1) };
    const boolean = this.match(BOOLEAN);
    if (boolean !== undefined) return { type: "boolean", value: boolean === "?1" };
    const date = this.match(DATE);
    if (date !== undefined) return { type: "date", value: Number(date.slice(1)) };
    const display = this.match(DISPLAY);
    return display === undefined ? undefined : decoded(display.slice(2, -1));
  }
}

function decoded(text: string): BareItem | undefined {
  try {
    return { type: "display", value: decodeURIComponent(text) };
  } catch {
    return undefined; // The bytes are not UTF-8.
  }
}
