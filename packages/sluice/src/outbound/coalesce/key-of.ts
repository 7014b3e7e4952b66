/** Deeper values are most likely not what somebody wanted to make a key of. */
const DEEPEST = 500;

/** Where in the value the writer is: the objects around it, and the way there for error messages. */
interface Place {
  readonly around: Set<object>;
  readonly path: (string | number)[];
}

type Writer = (value: never, place: Place) => string;

/** By prototype: an instance of a subclass may be more than can be seen. */
const writers: ReadonlyMap<object | null, Writer> = new Map<object | null, Writer>([
  [Object.prototype, fields],
  [null, fields],
  [Array.prototype, list],
  [Date.prototype, (date: Date) => `D${date.getTime()};`],
  [Map.prototype, map],
  [Set.prototype, set],
  [URL.prototype, ({ href }: URL) => `U${text(href)}`],
  [ArrayBuffer.prototype, (buffer: ArrayBuffer) => bytes("ArrayBuffer", new Uint8Array(buffer))],
]);

/**
 * A value as a text that equal values share, and no others: a key made of a call's arguments.
 *
 * Fields of an object count in any order, and so do the elements of a Set and the entries of a Map. Everything else
 * counts: `1`, `"1"` and `1n` are different, and so are a Date and its text, `0` and `-0`, `{}` and `{ a: undefined }`.
 *
 * @example
 * await upstreams.coingecko.run(fetchPrice, { key: `price:${keyOf({ id, currency })}` });
 *
 * @throws TypeError for what nobody can compare: functions, symbols, instances of classes other than Date, Map, Set, URL,
 *   ArrayBuffer and its views, and what contains itself. The message says where it is.
 */
export function keyOf(value: unknown): string {
  return written(value, { around: new Set(), path: [] });
}

function written(value: unknown, place: Place): string {
  switch (typeof value) {
    case "undefined":
      return "u";
    case "boolean":
      return value ? "t" : "f";
    case "number":
      return `n${Object.is(value, -0) ? "-0" : value};`;
    case "bigint":
      return `i${value};`;
    case "string":
      return text(value);
    case "object":
      return value === null ? "z" : writtenObject(value, place);
    default:
      throw refusal(place, `a ${typeof value}`);
  }
}

function writtenObject(value: object, place: Place): string {
  const { around } = place;
  if (around.has(value)) throw refusal(place, "a value that contains itself");
  if (around.size === DEEPEST) throw refusal(place, `nested more than ${DEEPEST} times`);
  const writer = writerOf(value);
  if (writer === undefined) throw refusal(place, `an instance of ${nameOf(value)}`);
  if (Object.getOwnPropertySymbols(value).length > 0) throw refusal(place, "an object with symbols for names");
  around.add(value);
  const result = writer(value as never, place);
  around.delete(value);
  return result;
}

function writerOf(value: object): Writer | undefined {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return () => bytes(nameOf(value), new Uint8Array(buffer, byteOffset, byteLength));
  }
  return writers.get(prototype);
}

function text(value: string): string {
  return `s${value.length}:${value}`;
}

function bytes(type: string, content: Uint8Array): string {
  return `B${text(type)}${content.join()};`;
}

function fields(value: Readonly<Record<string, unknown>>, place: Place): string {
  const names = Object.keys(value).sort();
  return `{${names.map((name) => text(name) + inside(value[name], name, place)).join("")}}`;
}

/** A list with holes or with names is written as the fields that it has. */
function list(value: readonly unknown[], place: Place): string {
  const names = Object.keys(value);
  const isPlain = names.length === value.length && names.every((name, i) => name === String(i));
  if (isPlain) return `[${value.map((element, i) => inside(element, i, place)).join("")}]`;
  return `A${value.length}${fields(value as unknown as Readonly<Record<string, unknown>>, place)}`;
}

function map(value: ReadonlyMap<unknown, unknown>, place: Place): string {
  let i = 0;
  const entries = [...value].map(([key, held]) => inside(key, i, place) + inside(held, i++, place));
  return `M${entries.sort().join("")};`;
}

function set(value: ReadonlySet<unknown>, place: Place): string {
  let i = 0;
  const elements = [...value].map((element) => inside(element, i++, place));
  return `S${elements.sort().join("")};`;
}

function inside(value: unknown, name: string | number, place: Place): string {
  place.path.push(name);
  const result = written(value, place);
  place.path.pop();
  return result;
}

function nameOf(value: object): string {
  const { name } = ((value as { constructor?: unknown }).constructor ?? {}) as { name?: unknown };
  return typeof name === "string" && name !== "" ? name : "a class without a name";
}

function refusal({ path }: Place, what: string): TypeError {
  const where = path.map((name) => (typeof name === "number" ? `[${name}]` : `.${name}`)).join("");
  return new TypeError(
    `A key cannot be made of value${where}: it is ${what}. Leave it out, or give the call a key of your own.`,
  );
}
