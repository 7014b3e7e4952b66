import type { CallLine } from "sluice/record";
import type { LoggedCall } from "../logged-call.ts";
import type { Read } from "./formats.ts";
import { parsed } from "./formats.ts";
import { timeOf } from "./times.ts";

/** What records say of themselves. */
export interface Heads {
  /** Which parts of the clients were recorded. */
  readonly samples: Set<number>;
  /** Lines that were lost when the record was written. */
  lost: number;
}

export const heads = (): Heads => ({ samples: new Set(), lost: 0 });

const MOST_SAMPLES = 20;
/** No client, tool or tier has a longer name. */
const LONGEST_NAME = 2_048;

/** A line that `sluice/record` has written. */
export function sluiceLine(line: string, known: Heads): Read {
  const record = parsed(line);
  if (typeof record === "string") return record;
  if (record.sluice !== undefined) return headOf(record, known);
  const { time, client, method = "tools/call" } = record as unknown as CallLine;
  if (typeof time !== "number" || timeOf(time, "ms") === undefined) return "it has no time";
  if (typeof client !== "string" || client === "") return "it has no client";
  if (typeof method !== "string") return "its method is no text";
  const call = record as unknown as LoggedCall & { client: string; method: string };
  call.client = client;
  call.method = method;
  return wrongIn(call) ?? call;
}

/** Somebody may have written into the file: what limits look at has to be what it should be. */
function wrongIn({
  client,
  method,
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
  for (const text of [client, method, tier, tool, prompt, resource, path, address, session]) {
    if (text === undefined) continue;
    if (typeof text !== "string") return "one of its names is no text";
    if (text.length > LONGEST_NAME) return `one of its names is longer than ${LONGEST_NAME} characters`;
  }
  for (const ms of [durationMs, waitedMs]) if (ms !== undefined && !(ms >= 0)) return "one of its times is no number";
  for (const values of [args, headers, result]) {
    if (values !== undefined && (typeof values !== "object" || values === null))
      return "one of its lists of values is none";
  }
  return undefined;
}

function headOf({ sluice, version, sample, lines }: Record<string, unknown>, known: Heads): Read {
  if (sluice === "lost" && typeof lines === "number") {
    known.lost += lines;
    return undefined;
  }
  if (sluice !== "record") return "it is none of the lines that a record has";
  if (version !== 1)
    return `it begins a record of version ${JSON.stringify(version)}, and this program knows version 1`;
  if (typeof sample === "number" && known.samples.size < MOST_SAMPLES) known.samples.add(sample);
  return undefined;
}
