import type { LoggedCall } from "../logged-call.ts";
import { isMeant, type Only } from "./only.ts";
import { durationOf, timeOf, UNITS } from "./times.ts";

/** A mapping that cannot be, in words. */
export class MappingError extends Error {
  override readonly name = "MappingError";
}

/** Where the fields of a call stand in a record of a log. */
export type Mapping = ReadonlyMap<string, Source>;

interface Source {
  /** Names to look for; the first that is there. */
  readonly names: readonly string[];
  /** The same for all calls. */
  readonly text?: string;
  readonly unit?: string | undefined;
}

/** One record of a log: what stands under a name. */
export type Look = (name: string) => unknown;

const FIELDS = [
  "time",
  "end",
  "client",
  "tier",
  "method",
  "tool",
  "prompt",
  "resource",
  "path",
  "address",
  "session",
  "status",
  "allowed",
  "duration",
];
const OPEN_FIELD = /^(argument|header|result)\.(.+)$/;

/** What is looked for where nothing is said. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  time: ["time", "timestamp", "ts", "@timestamp", "start_time"],
  end: ["time_iso8601", "time_local", "msec"],
  client: [
    "client",
    "client_id",
    "user",
    "user_id",
    "sub",
    "remote_user",
    "client_ip",
    "remote_addr",
    "downstream_remote_address",
  ],
  tier: ["tier", "plan"],
  method: ["mcp_method", "mcp.method.name", "rpc_method"],
  tool: ["tool", "tool_name", "gen_ai.tool.name"],
  path: ["path", "uri", "request_uri"],
  status: ["status", "response_code", "status_code"],
  duration: ["duration_ms", "durationMs", "latency_ms", "duration"],
};

/** nginx counts seconds. */
const IN_SECONDS: ReadonlySet<string> = new Set(["request_time", "upstream_response_time"]);

/**
 * Reads `time=ts,client=user.id,tool='search',duration=took:s`.
 *
 * @throws MappingError
 */
export function parseMapping(texts: readonly string[]): Mapping {
  const mapping = new Map<string, Source>();
  for (const part of texts.flatMap((text) => text.match(/(?:[^,']|'[^']*')+/g) ?? [])) {
    const [, field, source = ""] = /^\s*([^=\s]+)\s*=\s*(.+?)\s*$/.exec(part) ?? [];
    if (field === undefined)
      throw new MappingError(`A mapping is FIELD=NAME, such as time=ts, but it is ${JSON.stringify(part)}.`);
    if (!FIELDS.includes(field) && !OPEN_FIELD.test(field)) {
      throw new MappingError(
        `A call has no ${JSON.stringify(field)}: it has ${FIELDS.join(", ")}, argument.PATH, header.NAME and result.PATH.`,
      );
    }
    mapping.set(field, sourceOf(field, source));
  }
  return mapping;
}

function sourceOf(field: string, source: string): Source {
  const [, text] = /^'([^']*)'$/.exec(source) ?? [];
  if (text !== undefined) return { names: [], text };
  const [, name, unit] = /^(.*):(\w+)$/.exec(source) ?? [];
  if (name === undefined || unit === undefined) return { names: [source] };
  if (!["time", "end", "duration"].includes(field) || !Object.hasOwn(UNITS, unit)) return { names: [source] };
  return { names: [name], unit };
}

/** A record that is none of the calls that are asked for. */
export const LEFT_OUT = "left out";

/** Makes calls of records. */
interface CallReader {
  /** A call, or why it is none. */
  read(look: Look): LoggedCall | string;
}

interface CallReaderOptions {
  /** Where fields stand, besides what the mapping says. */
  readonly usual?: Readonly<Record<string, readonly string[]>>;
  readonly only?: readonly Only[];
}

/** Records of HTTP servers know no method of MCP. */
const DEFAULT_METHOD = "tools/call";
const TOO_MANY_REQUESTS = 429;
/** What a value may be long at most: longer ones are none of a client or a tool. */
const LONGEST = 1_024;

export function callReader(mapping: Mapping, { usual = {}, only = [] }: CallReaderOptions = {}): CallReader {
  const sources = new Map<string, Source>();
  for (const [field, names] of Object.entries({ ...USUAL, ...usual })) sources.set(field, { names });
  for (const [field, source] of mapping) sources.set(field, source);
  // Who says when calls began needs no end, and the other way round.
  if (mapping.has("time")) sources.delete("end");
  else if (mapping.has("end")) sources.delete("time");
  const open = [...mapping].flatMap(([field, source]) => {
    const [, kind, path] = OPEN_FIELD.exec(field) ?? [];
    return kind === undefined ? [] : [{ kind, path: path!, source }];
  });

  function found(look: Look, field: string): { value: unknown; name: string; unit?: string | undefined } | undefined {
    const source = sources.get(field);
    if (source === undefined) return undefined;
    if (source.text !== undefined) return { value: source.text, name: "" };
    for (const name of source.names) {
      const value = look(name);
      if (value !== undefined && value !== null && value !== "" && value !== "-")
        return { value, name, unit: source.unit };
    }
    return undefined;
  }

  function text(look: Look, field: string): string | undefined {
    const value = found(look, field)?.value;
    if (value === undefined) return undefined;
    return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, LONGEST);
  }

  function duration(look: Look): number | undefined {
    const one = found(look, "duration");
    if (one === undefined) return undefined;
    return durationOf(one.value, one.unit ?? (IN_SECONDS.has(one.name) ? "s" : "ms"));
  }

  function time(look: Look, durationMs = 0): number | string {
    const began = found(look, "time");
    const one = began ?? found(look, "end");
    if (one === undefined) return `it says no time: ${sought(sources, ["time", "end"])}`;
    const ms = timeOf(one.value, one.unit);
    if (ms === undefined) return `${shown(one.value)} under ${JSON.stringify(one.name)} is no time`;
    return began === undefined ? ms - durationMs : ms;
  }

  return {
    read(look) {
      if (!isMeant(only, look)) return LEFT_OUT;
      const durationMs = duration(look);
      const at = time(look, durationMs);
      if (typeof at === "string") return at;
      const client = text(look, "client");
      if (client === undefined) return `it says no client: ${sought(sources, ["client"])}`;
      const call: LoggedCall = {
        time: at,
        client: withoutPort(client),
        method: text(look, "method") ?? DEFAULT_METHOD,
      };
      for (const field of ["tier", "tool", "prompt", "resource", "address", "session"] as const) {
        const value = text(look, field);
        if (value !== undefined) call[field] = value;
      }
      const path = text(look, "path");
      if (path !== undefined) call.path = path.split(/[?#]/, 1)[0]!;
      if (durationMs !== undefined) call.durationMs = durationMs;
      const allowed = found(look, "allowed")?.value ?? Number(found(look, "status")?.value) !== TOO_MANY_REQUESTS;
      if (allowed === false || allowed === "false" || allowed === 0 || allowed === "0") call.allowed = false;
      for (const { kind, path: name, source } of open) {
        const value = source.text ?? source.names.map(look).find((one) => one !== undefined);
        if (value !== undefined) put(call, kind, name, value);
      }
      return call;
    },
  };
}

function put(call: LoggedCall, kind: string, name: string, value: unknown): void {
  if (kind === "result") call.result = { ...call.result, [name]: Number(value) };
  else if (kind === "header") call.headers = { ...call.headers, [name]: String(value) };
  else call.args = { ...call.args, [name]: typeof value === "number" ? value : String(value) };
}

/** Proxies log where a connection comes from: its port is another each time. */
const withoutPort = (client: string): string => client.replace(/^(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):\d+$/, "$1");

const sought = (sources: ReadonlyMap<string, Source>, fields: readonly string[]): string =>
  `looked for ${fields.flatMap((field) => sources.get(field)?.names ?? []).join(", ")}; name it by --map ${fields[0]}=NAME`;

const shown = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 60);
