import type { CallLine } from "sluice/record";
import type { LoggedCall } from "../logged-call.ts";
import type { Read } from "./formats.ts";
import { parsed } from "./formats.ts";

/** What records say of themselves. */
export interface Heads {
  /** Which parts of the clients were recorded. */
  readonly samples: Set<number>;
  /** Lines that were lost when the record was written. */
  lost: number;
  /** What limits looked at when it was written. */
  readonly values: Set<string>;
}

export const heads = (): Heads => ({ samples: new Set(), lost: 0, values: new Set() });

const EARLIEST_MS = 978_307_200_000;

/** A line that `sluice/record` has written. */
export function sluiceLine(line: string, known: Heads): Read {
  const record = parsed(line);
  if (typeof record === "string") return record;
  if (record.sluice !== undefined) return headOf(record, known);
  const { time, client = "(uncharged)", method = "tools/call" } = record as unknown as CallLine;
  if (typeof time !== "number" || !(time > EARLIEST_MS)) return "it has no time";
  if (typeof client !== "string" || client === "") return "its client is no text";
  if (typeof method !== "string") return "its method is no text";
  const call = record as unknown as LoggedCall & { client: string; method: string };
  call.client = client;
  call.method = method;
  return wrongIn(call) ?? call;
}

/** Somebody may have written into the file: what limits look at has to be what it should be. */
function wrongIn({
  tier,
  tool,
  prompt,
  resource,
  path,
  address,
  session,
  args,
  headers,
  result,
  durationMs,
  waitedMs,
}: LoggedCall): string | undefined {
  for (const text of [tier, tool, prompt, resource, path, address, session]) {
    if (text !== undefined && typeof text !== "string") return "one of its names is no text";
  }
  for (const ms of [durationMs, waitedMs]) if (ms !== undefined && !(ms >= 0)) return "one of its times is no number";
  for (const values of [args, headers, result]) {
    if (values !== undefined && (typeof values !== "object" || values === null))
      return "one of its lists of values is none";
  }
  return undefined;
}

function headOf({ sluice, version, sample, lines, values }: Record<string, unknown>, known: Heads): Read {
  if (sluice === "lost" && typeof lines === "number") {
    known.lost += lines;
    return undefined;
  }
  if (sluice !== "record") return "it is none of the lines that a record has";
  if (version !== 1)
    return `it begins a record of version ${JSON.stringify(version)}, and this program knows version 1`;
  if (typeof sample === "number") known.samples.add(sample);
  for (const [kind, names] of Object.entries((values ?? {}) as Record<string, readonly string[]>)) {
    for (const name of names) known.values.add(`${kind}:${name}`);
  }
  return undefined;
}
