import type { LoggedCall } from "../logged-call.ts";
import { callReader, type Mapping } from "./mapping.ts";
import type { Only } from "./only.ts";
import { type Heads, sluiceLine } from "./sluice-line.ts";

export const FORMATS = ["sluice", "json", "nginx", "csv", "text"] as const;
export type Format = (typeof FORMATS)[number];

/** What a line is: a call, why it is none, or nothing that one has to know of. */
export type Read = LoggedCall | string | undefined;
export type LineReader = (line: string) => Read;

/** nginx's `combined`, which Apache writes, too; what follows it is `$request_time`, if that is a number. */
const COMBINED =
  /^(?<remote_addr>\S+) \S+ (?<remote_user>.+?) \[(?<time_local>[^\]]+)\] "(?:(?<request_method>\S+) )?(?<uri>[^" ]*)[^"]*" (?<status>\d{3}) (?:\d+|-)(?: "[^"]*" "[^"]*")?(?: (?<request_time>\d+\.\d+))?/;

export interface LineReaderOptions {
  readonly mapping: Mapping;
  /** Of `text`: with a named group for each field. */
  readonly pattern?: RegExp | undefined;
  readonly only: readonly Only[];
  /** Is told what a record of ours says of itself. */
  readonly heads: Heads;
}

export function lineReader(
  format: Exclude<Format, "csv">,
  { mapping, pattern, only, heads }: LineReaderOptions,
): LineReader {
  if (format === "sluice") return (line) => sluiceLine(line, heads);
  if (format === "json") {
    const { read } = callReader(mapping, {
      usual: { duration: ["duration_ms", "durationMs", "latency_ms", "duration", "request_time"] },
      only,
    });
    return (line) => {
      const record = parsed(line);
      if (typeof record === "string") return record;
      return read((name) => (Object.hasOwn(record, name) ? record[name] : valueAt(record, name)));
    };
  }
  const { read } = callReader(mapping, { usual: format === "nginx" ? { duration: ["request_time"] } : {}, only });
  const form = format === "nginx" ? COMBINED : pattern!;
  const wrong = format === "nginx" ? "it is no line of an access log (combined)" : "the pattern does not fit it";
  return (line) => {
    const groups = form.exec(line)?.groups;
    return groups === undefined ? wrong : read((name) => groups[name]);
  };
}

/** An object of JSON, or why there is none. */
export function parsed(line: string): Record<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return `it is no JSON: ${(error as Error).message}`;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return "it is no object of JSON";
}

function valueAt(record: object, path: string): unknown {
  let value: unknown = record;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** What kind of log begins so. `undefined`: nobody knows. */
export function formatOf(line: string): Format | undefined {
  if (line.startsWith("{")) {
    const record = parsed(line);
    if (typeof record === "string") return "json";
    const isOurs = "sluice" in record || (typeof record.time === "number" && typeof record.client === "string");
    return isOurs ? "sluice" : "json";
  }
  if (COMBINED.test(line)) return "nginx";
  return /^[\w."@ -]+([,;\t][\w."@ -]+)+$/.test(line) ? "csv" : undefined;
}
