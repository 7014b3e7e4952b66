/** Something that is wrong with a policy file, and where it stands. */
export interface Problem {
  /** As written in the file: `policies[0].quota`. Empty: the whole file. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** What was wrong, what was found, what would be right. */
  readonly message: string;
}

/** A policy file that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, text: string, problems: readonly Problem[]) {
    const inOrder = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
    super(inOrder.map((problem) => shownProblem(file, text, problem)).join("\n"));
    this.file = file;
    this.problems = inOrder;
  }
}

/** `file:line:column: message`, as editors and terminals understand it, and the line itself with a mark below. */
function shownProblem(file: string, text: string, { path, line, column, message }: Problem): string {
  const head = `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
  const source = text.split("\n")[line - 1]?.trimEnd();
  if (source === undefined || source === "") return head;
  const number = `  ${line} | `;
  return `${head}\n${number}${source}\n${" ".repeat(number.length + column - 1)}^`;
}

/** `policies[0].quota`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) text += typeof part === "number" ? `[${part}]` : `${text === "" ? "" : "."}${String(part)}`;
  return text;
}
