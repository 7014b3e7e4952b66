import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
} from "yaml";
import { type Problem, pathText } from "./problem.ts";

/** A policy file as it was written: its value, and where each part of it stands. */
export interface Source {
  readonly value: unknown;
  /** What is wrong with the file as YAML, or with its variables. */
  readonly problems: readonly Problem[];
  /** A problem at the value under a path; at the nearest one that is there. */
  problemAt(path: readonly PropertyKey[], message: string): Problem;
  /** A problem at the name of a member. */
  problemAtKey(path: readonly PropertyKey[], key: string, message: string): Problem;
}

/** `${NAME}`, or `${NAME:-what stands for it when it is not set}`; `$${` is a `${` that means itself. */
const VARIABLE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}?/g;

/** Reads YAML, of which JSON is a part, with the environment's variables put in. Never throws. */
export function readSource(text: string, env: Readonly<Record<string, string | undefined>>): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, maxAliasCount: 100 } as object);
  const problems: Problem[] = [];
  const at = (offset: number, path: readonly PropertyKey[], message: string): Problem => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { path: pathText(path), line: Math.max(1, line), column: Math.max(1, col), message };
  };

  for (const { message, pos } of document.errors) problems.push(at(pos[0], [], inWords(message)));
  if (document.errors.length === 0) {
    visit(document, {
      Pair(_, { key }) {
        if (keyText(key) !== "__proto__") return;
        problems.push(
          at(
            isNode(key) ? (key.range?.[0] ?? 0) : 0,
            [],
            'A key cannot be "__proto__": nothing here can have that name.',
          ),
        );
      },
      Scalar(key, node) {
        if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
        substitute(node, env, (message) => problems.push(at(node.range?.[0] ?? 0, [], message)));
      },
    });
  }
  let value: unknown;
  if (problems.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      problems.push(at(0, [], (error as Error).message));
    }
  }
  const offsetOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);
  return {
    value,
    problems,
    problemAt: (path, message) => at(offsetOf(nearest(document, path)) ?? 0, path, message),
    problemAtKey(path, key, message) {
      const parent = nodeAt(document, path);
      const pair = isMap(parent) ? parent.items.find((item) => isPair(item) && keyText(item.key) === key) : undefined;
      return at(offsetOf(pair?.key) ?? offsetOf(parent) ?? 0, [...path, key], message);
    },
  };
}

const keyText = (key: unknown): string => String(isScalar(key) ? key.value : key);

function nodeAt(document: Document, path: readonly PropertyKey[]): Node | undefined {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  return isNode(node) ? node : undefined;
}

function nearest(document: Document, path: readonly PropertyKey[]): Node | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = nodeAt(document, path.slice(0, length));
    if (node !== undefined) return node;
  }
  return undefined;
}

/** A text without quotes that becomes a number, `true` or `false` is one: `port: ${PORT}`. Nothing else changes its kind. */
function substitute(
  node: Scalar,
  env: Readonly<Record<string, string | undefined>>,
  complain: (message: string) => void,
): void {
  const text = (node.value as string).replaceAll(VARIABLE, (whole, name: string | undefined, otherwise?: string) => {
    if (whole === "$${") return "${";
    if (name === undefined) {
      complain(
        `${JSON.stringify(whole)} is no variable: write \${NAME}, \${NAME:-otherwise}, or $\${ for the text itself.`,
      );
      return whole;
    }
    const value = env[name] || otherwise;
    if (value === undefined)
      complain(`The environment has no variable ${name}: set it, or write \${${name}:-otherwise}.`);
    return value ?? "";
  });
  node.value = node.type === "PLAIN" ? plainValue(text) : text;
}

function plainValue(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** The parser's own words, where they would not help somebody who knows no YAML. */
function inWords(message: string): string {
  if (message === "Map keys must be unique") return "This key stands here twice: only one of them can count.";
  if (message.includes("All mapping items must start at the same column"))
    return "This line begins in another column than its neighbours: what belongs together is indented alike.";
  if (message.includes("Nested mappings are not allowed in compact mappings"))
    return "There are two colons in one line: put the text in quotes, or the second key on a line of its own.";
  if (message.includes("flow-map-start"))
    return "This is no YAML: a { begins here that does not fit. Within braces, a ${VARIABLE} stands in quotes.";
  return `This is no YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}
