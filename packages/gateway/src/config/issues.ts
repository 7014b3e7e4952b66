import leven from "leven";
import type { z } from "zod";
import type { Problem } from "./problem.ts";
import type { Source } from "./source.ts";

type Issue = z.core.$ZodIssue;

/** What the schema says about a file, in words for people and where it stands. */
export function problemsOf(
  issues: readonly Issue[],
  source: Source,
  known: (path: readonly PropertyKey[]) => readonly string[],
): readonly Problem[] {
  return issues.flatMap((issue) => problemOf(issue, [], source, known));
}

function problemOf(
  issue: Issue,
  above: readonly PropertyKey[],
  source: Source,
  known: (path: readonly PropertyKey[]) => readonly string[],
): readonly Problem[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => source.problemAtKey(path, key, unknownKey(key, known(path))));
  }
  if (issue.code === "invalid_union") {
    const branch = meant(issue.errors, valueAt(source.value, path));
    if (branch !== undefined) return branch.flatMap((one) => problemOf(one, path, source, known));
    const kinds = new Set(issue.errors.flat().map(expectedKind));
    return [source.problemAt(path, `this is ${foundIn(source.value, path)}, but it has to be ${listed([...kinds])}.`)];
  }
  if (issue.code === "invalid_key") return issue.issues.flatMap((one) => problemOf(one, path, source, known));
  return [source.problemAt(path, inWords(issue, source, path))];
}

/** Of the forms that a value can have, the one that it was to be: of the same kind. Undefined: of none. */
function meant(branches: readonly (readonly Issue[])[], value: unknown): readonly Issue[] | undefined {
  const fitting = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && isOfKind(issue)));
  if (fitting.length <= 1) return fitting[0];
  // Of several objects the one that knows most of what is written.
  const unknown = (issues: readonly Issue[]) =>
    issues.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 0), 0);
  return typeof value === "object" ? [...fitting].sort((a, b) => unknown(a) - unknown(b))[0] : fitting[0];
}

const isOfKind = (issue: Issue): boolean => issue.code === "invalid_type";

function expectedKind(issue: Issue): string {
  return issue.code === "invalid_type" ? (KINDS[issue.expected] ?? `a ${issue.expected}`) : "something else";
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
};

function inWords(issue: Issue, source: Source, path: readonly PropertyKey[]): string {
  const found = foundIn(source.value, path);
  switch (issue.code) {
    case "invalid_type":
      if (valueAt(source.value, path) === undefined)
        return `"${String(path.at(-1))}" is missing: it is ${expectedKind(issue)}.`;
      return `this is ${found}, but it has to be ${expectedKind(issue)}.`;
    case "invalid_value":
      return `this is ${found}, but it has to be ${listed(issue.values.map((value) => JSON.stringify(value)))}.${nearest(valueAt(source.value, path), issue.values.map(String))}`;
    case "too_small":
      return `this is ${found}, but it has to be at least ${issue.minimum}${sizeOf(issue.origin)}.`;
    case "too_big":
      return `this is ${found}, but it has to be at most ${issue.maximum}${sizeOf(issue.origin)}.`;
    default:
      return issue.message;
  }
}

const SIZES: Readonly<Record<string, string>> = { string: " characters long", array: " entries long" };
const sizeOf = (origin: string): string => SIZES[origin] ?? "";

function unknownKey(key: string, known: readonly string[]): string {
  return `there is no "${key}" here: it knows ${known.join(", ")}.${nearest(key, known)}`;
}

/** Names that differ by no more than a third of their letters are taken for slips, and those that begin so for what was meant. */
function nearest(given: unknown, known: readonly string[]): string {
  if (typeof given !== "string") return "";
  const low = given.toLowerCase();
  const [best] = known
    .map((name) => {
      const isLonger = low.length >= 3 && name.toLowerCase().startsWith(low);
      return { name, distance: isLonger ? 0 : leven(name.toLowerCase(), low) };
    })
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(1, given.length / 3) ? ` Did you mean "${best.name}"?` : "";
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "something else") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function foundIn(value: unknown, path: readonly PropertyKey[]): string {
  const found = valueAt(value, path);
  if (found === null || found === undefined) return "empty";
  if (Array.isArray(found)) return found.length === 0 ? "an empty list" : "a list";
  if (typeof found === "object") return "a map";
  return JSON.stringify(found) ?? String(found);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) found = (found as Record<PropertyKey, unknown> | undefined | null)?.[part];
  return found;
}
