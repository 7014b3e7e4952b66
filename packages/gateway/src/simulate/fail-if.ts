import { parseDuration } from "sluice";
import type { Figures, Report } from "./report.ts";

/** A condition that cannot be read, in words. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
}

/** Says whether it holds for a report. */
export type Condition = (report: Report) => boolean;

const FIGURES: readonly (keyof Figures)[] = [
  "calls",
  "refused",
  "was_refused",
  "newly_refused",
  "newly_allowed",
  "clients",
  "refused_clients",
  "newly_refused_clients",
  "on_trial",
  "waited",
  "wait_p50_ms",
  "wait_p95_ms",
  "longest_wait_ms",
  "longest_block_ms",
  "bad_lines",
];
/** Of single tiers and tools. */
const COUNTS = {
  calls: "calls",
  refused: "refused",
  was_refused: "wasRefused",
  newly_refused: "newlyRefused",
  newly_allowed: "newlyAllowed",
} as const;
const OF_CLIENTS: ReadonlySet<string> = new Set(["refused_clients", "newly_refused_clients"]);

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

const TOKEN =
  /\s*(?:([A-Za-z_][\w]*)|(\[\s*(?:tier|tool|limit)\s*=\s*[^\]]+\])|(>=|<=|==|!=|>|<)|(\d[\d_]*(?:\.\d+)?(?:\s*%|[a-z]+)?)|([()])|(&&|\|\|))/y;

interface Token {
  readonly kind: "name" | "of" | "compare" | "value" | "bracket" | "join";
  readonly text: string;
}

/**
 * Reads a condition such as `refused > 1%`, `refused[tier=pro] > 0 or longest_block_ms > 5min`. A `%` is a part of all calls, of all
 * clients where clients are counted, and of the calls of that tier or tool.
 *
 * @throws ConditionError
 */
export function parseCondition(text: string): Condition {
  const tokens = tokensOf(text);
  let at = 0;
  const fail = (wanted: string): never => {
    const found = tokens[at];
    throw new ConditionError(
      `--fail-if ${JSON.stringify(text)}: ${wanted} was expected, but there is ${found === undefined ? "nothing more" : JSON.stringify(found.text)}.`,
    );
  };
  const next = (kind: Token["kind"], wanted: string): string => {
    if (tokens[at]?.kind !== kind) fail(wanted);
    return tokens[at++]!.text;
  };
  const isJoin = (...words: readonly string[]): boolean => words.includes(tokens[at]?.text ?? "");

  function any(): Condition {
    const parts = [every()];
    while (isJoin("or", "||")) {
      at++;
      parts.push(every());
    }
    return (report) => parts.some((part) => part(report));
  }

  function every(): Condition {
    const parts = [one()];
    while (isJoin("and", "&&")) {
      at++;
      parts.push(one());
    }
    return (report) => parts.every((part) => part(report));
  }

  function one(): Condition {
    if (tokens[at]?.text === "(") {
      at++;
      const inner = any();
      if (tokens[at]?.text !== ")") fail('")"');
      at++;
      return inner;
    }
    const name = next("name", `a figure (${FIGURES.join(", ")})`);
    if (!(FIGURES as readonly string[]).includes(name)) {
      throw new ConditionError(
        `--fail-if ${JSON.stringify(text)}: there is no figure ${JSON.stringify(name)}: there are ${FIGURES.join(", ")}.`,
      );
    }
    const of = tokens[at]?.kind === "of" ? tokens[at++]!.text : undefined;
    const amount = amountOf(name, of, text);
    const compare = COMPARE[next("compare", "one of > >= < <= == !=")]!;
    const value = thresholdOf(next("value", "a number, a percentage or a duration"), name, text);
    return (report) => {
      const [figure, whole] = amount(report);
      return compare(figure, value.isPart ? value.number * whole : value.number);
    };
  }

  const condition = any();
  if (at < tokens.length) fail('"and" or "or"');
  return condition;
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const kinds = ["name", "of", "compare", "value", "bracket", "join"] as const;
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) {
      throw new ConditionError(
        `--fail-if ${JSON.stringify(text)}: ${JSON.stringify(text.slice(from).trim())} cannot be read. Write "refused > 1%".`,
      );
    }
    const i = kinds.findIndex((_, n) => found[n + 1] !== undefined);
    tokens.push({ kind: kinds[i]!, text: found[i + 1]!.trim() });
  }
  return tokens;
}

/** The figure, and what a percentage is a part of. */
function amountOf(name: string, of: string | undefined, text: string): (report: Report) => readonly [number, number] {
  if (of === undefined) {
    return ({ figures }) => [figures[name as keyof Figures], OF_CLIENTS.has(name) ? figures.clients : figures.calls];
  }
  const [, kind, value = ""] = /^\[\s*(\w+)\s*=\s*(.+?)\s*\]$/.exec(of)!;
  if (kind === "limit") {
    if (name !== "refused")
      throw new ConditionError(`--fail-if ${JSON.stringify(text)}: of a limit there is only "refused".`);
    return ({ limits, figures }) => [limits.find(({ limit }) => limit === value)?.refused ?? 0, figures.calls];
  }
  if (!Object.hasOwn(COUNTS, name)) {
    throw new ConditionError(
      `--fail-if ${JSON.stringify(text)}: of a ${kind} there are ${Object.keys(COUNTS).join(", ")}.`,
    );
  }
  const field = COUNTS[name as keyof typeof COUNTS];
  return ({ tiers, tools }) => {
    const row = kind === "tier" ? tiers.find(({ tier }) => tier === value) : tools.find(({ tool }) => tool === value);
    return row === undefined ? [0, 0] : [row[field], row.calls];
  };
}

function thresholdOf(
  written: string,
  name: string,
  text: string,
): { readonly number: number; readonly isPart: boolean } {
  const isTime = name.endsWith("_ms");
  if (written.endsWith("%")) {
    if (isTime)
      throw new ConditionError(
        `--fail-if ${JSON.stringify(text)}: ${name} is a time, of which there is no percentage.`,
      );
    return { number: numberOf(written.slice(0, -1)) / 100, isPart: true };
  }
  if (!/[a-z]/.test(written)) return { number: numberOf(written), isPart: false };
  const ms = isTime ? parseDuration(written) : undefined;
  if (ms === undefined) {
    throw new ConditionError(
      `--fail-if ${JSON.stringify(text)}: ${JSON.stringify(written)} is no ${isTime ? 'duration such as "30s"' : "number"}.`,
    );
  }
  return { number: ms, isPart: false };
}

const numberOf = (text: string): number => Number(text.trim().replaceAll("_", ""));
