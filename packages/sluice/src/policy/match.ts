import { shown } from "../algorithms/numbers.ts";
import type { McpCall } from "./call.ts";
import { COUNTED_BY_NAME_ONLY, NEVER_BLOCKED } from "./never-block.ts";
import { type Matcher, matcherOf, type Pattern } from "./pattern.ts";

/** Which calls a policy is about. What is given must all match. */
export interface Match {
  /** Such as `"resources/read"` or `"resources/*"`. A `*` does not reach what only its name counts: `initialize`, lists, subscriptions. */
  readonly method?: Pattern;
  /** Name of the tool: calls of tools alone. */
  readonly tool?: Pattern;
  /** URI of the resource: readings of resources alone. */
  readonly resource?: Pattern;
  /** Name of the prompt: gettings of prompts alone. */
  readonly prompt?: Pattern;
  /** Where the server is found, behind a gateway with several: `"/files/mcp"`. */
  readonly path?: Pattern;
  /** But not these calls. */
  readonly not?: Match;
}

/** Where the name stands by which a method is matched. */
const NAMED = [
  ["tool", "tools/call", "name"],
  ["resource", "resources/read", "uri"],
  ["prompt", "prompts/get", "name"],
] as const;

const FIELDS: ReadonlySet<string> = new Set(["method", "tool", "resource", "prompt", "path", "not"]);

/** @throws TypeError, RangeError for what cannot be matched, naming where it stands. */
export function matching(match: Match = {}, where = "match"): (call: McpCall) => boolean {
  if (typeof match !== "object" || match === null) {
    throw new TypeError(`${where} is an object such as { tool: "search" }, but it is ${shown(match)}.`);
  }
  const unknown = Object.keys(match).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) {
    throw new TypeError(`${where} has no field ${shown(unknown)}: it knows ${[...FIELDS].join(", ")}.`);
  }
  const tests: ((call: McpCall) => boolean)[] = [];
  const method = match.method === undefined ? undefined : matcherOf(`${where}.method`, match.method);
  if (method !== undefined) checkMethods(`${where}.method`, match.method!);
  tests.push(({ method: name }) => isMeant(name, method));
  for (const [field, methodName, param] of NAMED) {
    const pattern = match[field];
    if (pattern === undefined) continue;
    const name = matcherOf(`${where}.${field}`, pattern);
    tests.push(({ method: given, params }) => {
      const value = params[param];
      return given === methodName && typeof value === "string" && name.matches(value);
    });
  }
  if (match.path !== undefined) {
    const path = matcherOf(`${where}.path`, match.path);
    tests.push(({ path: given }) => given !== undefined && path.matches(given));
  }
  if (match.not !== undefined) {
    const isExcluded = matching(match.not, `${where}.not`);
    tests.push((call) => !isExcluded(call));
  }
  return (call) => tests.every((test) => test(call));
}

function isMeant(name: string, method: Matcher | undefined): boolean {
  if (COUNTED_BY_NAME_ONLY.has(name)) return method?.names(name) ?? false;
  return method?.matches(name) ?? true;
}

function checkMethods(where: string, pattern: Pattern): void {
  for (const name of [pattern].flat()) {
    if (NEVER_BLOCKED.has(name) || name.startsWith("notifications/")) {
      throw new RangeError(
        `${where}: ${shown(name)} must never be refused (it would break clients), so it cannot have a limit.`,
      );
    }
  }
}
