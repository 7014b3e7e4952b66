import type { McpCallEnd, McpCallEvent, McpCallRuling } from "../../inbound/mcp/follow.ts";
import { fingerprintOf, withoutMeta } from "../../inbound/mcp/same.ts";
import { valueAt } from "../../policy/key.ts";
import { amountAt } from "../../policy/settle.ts";
import type { Hasher } from "./hasher.ts";
import type { UsedValues } from "./used-values.ts";

/** One call in a log, as a line of JSON. What is not known is left out. */
export interface CallLine {
  /** When it came: milliseconds since 1970, to the microsecond. */
  time: number;
  /** Whose call it was: a hash. */
  client: string;
  tier?: string;
  /** @default "tools/call" */
  method?: string;
  tool?: string;
  prompt?: string;
  /** A URI; a hash where no policy looks at it. */
  resource?: string;
  /** Where the server is, of several behind one gateway. */
  path?: string;
  /** Hashes. */
  address?: string;
  session?: string;
  headers?: Record<string, string>;
  /** By path: numbers that limits count, and hashes of what is part of a key. */
  args?: Record<string, number | string>;
  /** The same for equal arguments. Only where loops are looked for. */
  same?: string;
  /** The most units that a limit charged for it. @default 1 */
  cost?: number;
  /** @default true */
  allowed?: boolean;
  /** The quota that refused it. */
  quota?: string;
  retryAfterMs?: number;
  waitedMs?: number;
  durationMs?: number;
  /** @default "result" */
  outcome?: McpCallEnd["outcome"];
  /** Of a JSON-RPC error. */
  errorCode?: number;
  /** By path: numbers of the result that say what the call cost. */
  result?: Record<string, number>;
  /** The same for equal results. Only where loops are looked for. */
  sameResult?: string;
}

/** Names that clients make up are cut off here: no tool has a longer one. */
const LONGEST_NAME = 256;
/** As in keys. */
const LONGEST_PART = 256;

const short = (text: string): string => text.slice(0, LONGEST_NAME);

/** The line of a call that has come. */
export function lineOf(
  { call, client, tier }: McpCallEvent & { readonly client: string },
  time: number,
  used: UsedValues,
  { hash }: Hasher,
): CallLine {
  const { method, tool, params, path, address, sessionId, headers } = call;
  const line: CallLine = { time, client: hash("client", client) };
  if (tier !== undefined) line.tier = tier;
  if (method !== "tools/call") line.method = short(method);
  if (tool !== undefined) line.tool = short(tool);
  if (method === "prompts/get" && typeof params.name === "string") line.prompt = short(params.name);
  if (method === "resources/read" && typeof params.uri === "string") {
    line.resource = used.resources ? params.uri.slice(0, 2048) : hash("resource", params.uri);
  }
  if (path !== undefined) line.path = path;
  if (address !== undefined) line.address = hash("address", address);
  if (sessionId !== undefined) line.session = hash("session", sessionId);
  const fields: Record<string, string> = {};
  for (const name of used.headers) {
    const value = headers?.get(name);
    if (value != null) fields[name] = hash("header", part(value));
  }
  if (used.headers.length > 0 && Object.keys(fields).length > 0) line.headers = fields;
  const args: Record<string, number | string> = {};
  for (const argument of used.keys) {
    const value = valueAt(params.arguments, argument);
    if (value != null) args[argument] = `#${hash("argument", part(value))}`;
  }
  for (const argument of used.costs) {
    const amount = countable(valueAt(params.arguments, argument));
    // What is both counted and a part of a key stays a number: equal numbers are equal keys.
    if (amount !== undefined) args[argument] = amount;
  }
  if (Object.keys(args).length > 0) line.args = args;
  if (used.repetitions && tool !== undefined) line.same = hash("same", fingerprintOf(params.arguments));
  return line;
}

/** What limits said of it. */
export function decided(line: CallLine, { allowed, decision, decisions, waitedMs }: McpCallRuling): void {
  const cost = Math.max(0, ...decisions.map((one) => one.cost));
  if (decisions.length > 0 && cost !== 1) line.cost = cost;
  if (waitedMs > 0) line.waitedMs = roundedMs(waitedMs);
  if (allowed) return;
  line.allowed = false;
  if (decision === undefined) return;
  line.quota = decision.quota;
  if (decision.retryAfterMs !== Infinity) line.retryAfterMs = decision.retryAfterMs;
}

/** What came of it. */
export function ended(
  line: CallLine,
  { durationMs, outcome, errorCode, result }: McpCallEnd,
  used: UsedValues,
  { hash }: Hasher,
): void {
  line.durationMs = roundedMs(durationMs);
  if (outcome !== "result") line.outcome = outcome;
  if (errorCode !== undefined) line.errorCode = errorCode;
  if (result === undefined) return;
  const amounts: Record<string, number> = {};
  for (const path of used.results) {
    const amount = amountAt(result, path);
    if (amount !== undefined) amounts[path] = amount;
  }
  if (Object.keys(amounts).length > 0) line.result = amounts;
  if (used.repetitions) line.sameResult = hash("same", fingerprintOf(withoutMeta(result)));
}

const roundedMs = (ms: number): number => Math.round(ms * 1000) / 1000;

/** As it stands in a key, so that equal hashes are equal keys. */
function part(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `${text.length}:${text.slice(0, LONGEST_PART)}`;
}

/** As costs are read. */
function countable(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}
